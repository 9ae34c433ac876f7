"""The rows of cuts and in-place writes of each backward call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, cast

from inspector.recording.forward import ForwardRecord, ThreadNodes
from inspector.recording.open_call import CallInfo
from inspector.recording.saved_tensor_writes import SavedMemory, written_by_arrays
from inspector.report.row_types import CutRow, WriteRow
from inspector.tracing.ids import Ids
from inspector.tracing.snapshot import GraphSnapshot
from inspector.tracing.traced_graph import TracedGraph

_NOT_IN_ROWS = ("leaf", "memory", "number")
"""Keys that are only valid while the tensor is alive."""


class CutAndWriteRows:
    """Makes the rows of each call that ends, from the cuts and writes recorded since the last call."""

    def __init__(self, forward: ForwardRecord) -> None:
        self._forward = forward
        self._recorded = forward.cuts_and_writes
        self._engine_threads = forward.outputs.keys.engine_threads
        self._cut_counts: list[int] = []  # counts of the recorded cuts when the last call ended
        self._writes = 0

    def cut_rows(self, head: CallInfo, record: TracedGraph, ids: Ids, tracing: GraphSnapshot) -> list[CutRow]:
        """The cuts since the last call, each with its count since then and the functions that used its data."""
        cuts = self._recorded.cuts()
        earlier = [*self._cut_counts, *([0] * (len(cuts) - len(self._cut_counts)))]
        self._cut_counts = [cut["count"] for cut in cuts]
        into = self._reached(record, ids) if cuts and head.setting.recording == "full" else {}
        made = [
            self._engine_threads.thread_counter_at(record.nodes[position].sequence_nr)
            for position, _ in record.roots
        ]
        last = max(made, default=None)
        self._recorded.mark_reported()
        rows = []
        for index, (cut, count) in enumerate(zip(cuts, earlier, strict=True)):
            if cut["count"] > count:
                early = last is None or cut["number"] is None or cut["number"] <= last
                row = self._row(cut, "from", ids, tracing) | {"count": cut["count"] - count}
                row |= self._under(cut["leaves"], tracing)
                row |= {"into": into.get(index, []), "root": index in head.cuts_of_roots, "early": early}
                rows.append(cast(CutRow, row))
        return rows

    def _under(self, leaves: list[int] | None, tracing: GraphSnapshot) -> dict[str, list[str] | None]:
        """The names of the leaves under a cut, and of those that are not under the roots of this call.

        Among the latter, leaves that were deleted (the old weight of a layer that was tied to another one) or
        frozen since (a sampler turns requires_grad on for one gradient only) do not count.
        """
        if leaves is None:
            return {"leaves": None, "beyond": None}
        known = self._recorded.leaves
        alive = [(number, tensor) for number in leaves if (tensor := known.tensor(number)) is not None]
        beyond = [
            number for number, tensor in alive if tensor.requires_grad and tracing.tensors.pair_of(tensor) is None
        ]
        return {"leaves": known.names(leaves), "beyond": known.names(beyond)}

    def _reached(self, record: TracedGraph, ids: Ids) -> dict[int, list[str]]:
        """The functions of the graph that used the data of each cut, by the index of the cut."""
        nodes, into = ThreadNodes(self._forward), defaultdict(list)
        for position, node in enumerate(record.nodes):
            for output_nr in range(len(node.outputs)):
                output = nodes.output(node.sequence_nr, output_nr)
                for index in sorted(output.cuts) if output is not None else ():
                    into[index].append(ids.function(position))
        return into

    def write_rows(self, head: CallInfo, record: TracedGraph, ids: Ids, tracing: GraphSnapshot) -> list[WriteRow]:
        """The writes of `_new_writes`, and the writes through arrays that share memory with saved tensors."""
        writes = self._new_writes(lambda: SavedMemory(record, ids, self._engine_threads.thread_counter_at))
        by_arrays: list[WriteRow] = []
        if head.setting.recording == "full":
            nodes, sources = ThreadNodes(self._forward), self._forward.sources
            by_arrays = written_by_arrays(record, ids, nodes, sources.array_writes)
        return [*(cast(WriteRow, self._row(write, "to", ids, tracing)) for write in writes), *by_arrays]

    def _new_writes(self, saved_memory: Callable[[], SavedMemory]) -> list[dict[str, Any]]:
        """The writes since the last call, and earlier ones that overwrote saved tensors of this graph."""
        writes = self._recorded.writes()
        new, self._writes = self._writes, len(writes)
        saved = saved_memory() if writes else None
        writes = [write | {"saved": saved.saved_in(write)} for write in writes if saved is not None]
        return [
            write
            for number, write in enumerate(writes)
            if write["saved"] or (number >= new and _is_by_script(write))
        ]

    def _row(self, found: dict[str, Any], key: str, ids: Ids, tracing: GraphSnapshot) -> dict[str, Any]:
        """A cut or a write as a row of the report; its tensor is an id of the graph, None outside of it."""
        row = {name: item for name, item in found.items() if name not in (key, *_NOT_IN_ROWS)}
        row["tensor"] = ids.recorded(found[key])
        if found["leaf"] is not None:
            leaf = self._recorded.leaves.tensor(found["leaf"])
            pair = None if leaf is None else tracing.tensors.pair_of(leaf)
            row["tensor"] = None if pair is None else ids.tensor(pair)
        return row


def _is_by_script(write: dict[str, Any]) -> bool:
    """Whether a write is not merely the initialisation of a parameter by a library."""
    return write["leaf"] is None or bool(write["direct"])
