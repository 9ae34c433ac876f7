"""The places where the script read the grad of a non-leaf tensor of an earlier call."""

from __future__ import annotations

from collections.abc import Iterator

from inspector.recording.forward.cuts_and_writes import CutsAndWrites
from inspector.report.row_types import EventRow
from inspector.tracing.ids import Ids


class GradReads:
    """Assigns each recorded read of a grad to the last call that had ended before it."""

    def __init__(self, recorded: CutsAndWrites) -> None:
        self._recorded = recorded
        self._ended: list[tuple[int, int, Ids]] = []  # of each call: number of reads by then, index, ids

    def call_ended(self, index: int, ids: Ids) -> None:
        """A call has ended. ids: those of its graph."""
        self._ended.append((len(self._recorded.reads()), index, ids))

    def events(self) -> Iterator[EventRow]:
        """The rows of the reads, in order."""
        for position, read in enumerate(self._recorded.reads()):
            before = [(index, ids) for count, index, ids in self._ended if count <= position]
            tensor = next((found for _, ids in before[::-1] if (found := ids.recorded(read["of"]))), None)
            if tensor is not None:
                yield {
                    "event": "read_grad",
                    "after_call": before[-1][0],
                    "optimizer": None,
                    "source": read["source"],
                    "tensor": tensor,
                }
