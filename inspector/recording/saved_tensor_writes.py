"""Find saved tensors that were overwritten, in place or through an array that shares their memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, Protocol

from inspector.graph.row_types import Source
from inspector.graph.values import encode
from inspector.report.row_types import Overwritten, WriteRow
from inspector.tensor_stats import Memory, Pending, overlap
from inspector.torch_api.nodes import ACCUMULATE_GRAD_NUMBER
from inspector.tracing.ids import Ids
from inspector.tracing.node_lookup import RecordedOutput
from inspector.tracing.traced_graph import Pair, SavedTensorFacts, TracedGraph


class SavedMemory:
    """The memory of the saved tensors of a graph when backward was called.

    moment: maps the number of a Node to the counter of the script's thread when the Node was created.
    """

    def __init__(self, record: TracedGraph, ids: Ids, moment: Callable[[int], int]) -> None:
        self._by_storage: dict[int, list[tuple[Memory, int, str, str]]] = defaultdict(list)
        for position, node in record.read_nodes():
            for saved in node.saved:
                if saved.memory is not None and node.sequence_nr != ACCUMULATE_GRAD_NUMBER:
                    entry = (saved.memory, moment(node.sequence_nr), ids.function(position), saved.name)
                    self._by_storage[saved.memory[0]].append(entry)

    def saved_in(self, write: dict[str, Any]) -> list[Overwritten]:
        """The saved tensors in the overwritten storage that were saved before the write, as rows.

        The storage of a Node that is older than the write is the one that was written: it was alive all the time.
        """
        memory: Memory | None = write["memory"]
        if memory is None:
            return []
        return [
            {"node": node, "name": name, "overlaps": overlap(memory, saved)}
            for saved, number, node, name in self._by_storage.get(memory[0], ())
            if number < write["number"]
        ]


class SourceLookup(Protocol):
    """The recorded forward, see `ThreadNodes`."""

    def source(self, sequence_nr: int) -> Any: ...

    def output(self, sequence_nr: int, output_nr: int) -> RecordedOutput | None: ...


def written_by_arrays(
    record: TracedGraph, ids: Ids, forward: SourceLookup, array_writes: Callable[[], list[Source]]
) -> list[WriteRow]:
    """Rows for the saved tensors that no longer have their content of the forward because numpy overwrote them.

    No hook sees such a write: it is detected by the values, and its line is taken from the source text, where
    `array_writes` finds the statements that write to such arrays.
    """
    rows: list[WriteRow] = []
    if not any(seen.shared for seen in (*record.constants, *record.tensors.values())):
        return rows  # nearly always
    for position, node in enumerate(record.nodes):
        changed = [saved for saved in node.saved if _has_changed(record, saved, forward)]
        source = _array_write(forward.source(node.sequence_nr), array_writes()) if changed else None
        for saved in changed:
            assert saved.tensor is not None
            hit: Overwritten = {"node": ids.function(position), "name": saved.name, "overlaps": True}
            rows.append(
                {
                    "operation": "numpy",
                    "source": source,
                    "direct": True,
                    "name": None,
                    "code": None if source is None else source["code"],
                    "before": 0,
                    "after": 0,
                    "saved": [hit],
                    "tensor": ids.tensor(saved.tensor),
                }
            )
    return rows


def _has_changed(record: TracedGraph, saved: SavedTensorFacts, forward: SourceLookup) -> bool:
    """Whether the content of a saved tensor with shared memory has changed since the forward."""
    if saved.before != "held" or saved.tensor is None:
        return False
    which = saved.tensor
    seen = record.constants[which] if isinstance(which, int) else record.tensors.get(which)
    if seen is None or not seen.shared:
        return False
    created = seen.forward.content if isinstance(which, int) else _content_in_forward(record, which, forward)
    return created is not None and bool(encode(created.value) != encode(seen.before["data"].value))


def _content_in_forward(record: TracedGraph, pair: Pair, forward: SourceLookup) -> Pending | None:
    position, output_nr = pair
    output = forward.output(record.nodes[position].sequence_nr, output_nr)
    return None if output is None else output.value


def _array_write(saver: Any, writes: list[Source]) -> Source | None:
    """The statement that may have written what a Node saved: the next one in its file, else the first in it.

    saver: the line that created the Node, or unknown.
    """
    found = [source for source in writes if source["file"] == saver.get("file")]
    return next((source for source in found if source["line"] >= saver["line"]), found[0] if found else None)
