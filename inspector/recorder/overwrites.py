"""Which saved tensors an in-place write went over."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from inspector.summaries import Memory, overlap
from inspector.tracer.ids import Ids
from inspector.tracer.tracing import Record

_ACCUMULATE_GRAD_NUMBER = 2**64 - 1


class SavedMemory:
    """Where the saved tensors of a graph lay when backward was called."""

    def __init__(self, record: Record, ids: Ids) -> None:
        self._by_storage: dict[int, list[tuple[Memory, int, str, str]]] = defaultdict(list)
        for position, node in enumerate(record.nodes):
            for saved in node.saved:
                if saved.memory is not None and node.sequence_nr != _ACCUMULATE_GRAD_NUMBER:
                    entry = (saved.memory, node.sequence_nr, ids.function(position), saved.name)
                    self._by_storage[saved.memory[0]].append(entry)

    def under(self, write: dict[str, Any]) -> list[dict[str, Any]]:
        """The saved tensors in the storage that was written after they were saved, as rows.

        Where one Node is older than the write, its storage is the one that was written: it has lived since then.
        """
        memory: Memory | None = write["memory"]
        if memory is None:
            return []
        return [
            {"node": node, "name": name, "overlaps": overlap(memory, saved)}
            for saved, number, node, name in self._by_storage.get(memory[0], ())
            if number < write["number"]
        ]
