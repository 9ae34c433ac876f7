"""The end of a backward call: trace its graph again, and build the report's BackwardCall."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Set
from typing import Any

import torch
from msgspec.structs import replace

from inspector.graph import Graph
from inspector.recording.call_count import CallCount
from inspector.recording.cut_and_write_rows import CutAndWriteRows
from inspector.recording.grad_reads import GradReads
from inspector.recording.nested_calls import no_nested_calls
from inspector.recording.open_call import CountedCall, OpenCall
from inspector.recording.parts import CUTS, NESTED, PARAMETERS, RETAINED, SYMBOLS, TRAINING, no_rows, one_line
from inspector.recording.recorders import Recorders
from inspector.recording.training.leaf_registry import grads_of
from inspector.recording.watch_plan import WatchPlan
from inspector.report import BackwardCall
from inspector.report.row_types import Contained, CutRow, WriteRow
from inspector.torch_api.leaves_in_use import LEAVES_IN_USE
from inspector.tracing.build_graph import build_graph
from inspector.tracing.gradient_flow import GradientFlow
from inspector.tracing.ids import Ids
from inspector.tracing.roots import edges_of
from inspector.tracing.traced_graph import TracedGraph
from inspector.tracing.walk import AutogradNode, walk


class CallEnd:
    """Ends the calls of a session: `engine_has_run`, then `call`.

    reads: the grads that the script read between the calls; None if the forward is not recorded.
    """

    def __init__(
        self, recorders: Recorders, plan: WatchPlan, count: CallCount, derive: Callable[[Graph], None]
    ) -> None:
        """derive: adds derivatives in symbols to the rows of a graph, when they are built."""
        self._derive = derive
        forward = recorders.forward
        self._count = count
        self._recorders = recorders
        self._plan = plan
        self._rows = None if forward is None else CutAndWriteRows(forward.record)
        self.reads = None if forward is None else GradReads(forward.record.cuts_and_writes)

    def engine_has_run(self, token: OpenCall, result: Any) -> None:
        """Remove the hooks. New Nodes belong to a forward again."""
        token.watch.capture.remove()
        token.watch.nested.ends()
        if self._recorders.forward is not None:
            self._recorders.forward.backward_ends()
            if token.created_from is not None:
                leaves = [leaf for _, leaf in token.tracing.tensors.leaves() if leaf not in LEAVES_IN_USE]
                results = result if isinstance(result, tuple) else grads_of(leaves)
                self._note_created_graph(results, {*token.tracing.walk.index, *token.created_from})

    def counted_has_run(self, token: CountedCall, result: Any) -> None:
        """A call that was only counted has ended. result: the return value of `torch.autograd.grad`."""
        if self._recorders.forward is not None:
            self._recorders.forward.backward_ends()
            if token.known is not None and isinstance(result, tuple):
                self._note_created_graph(result, token.known)

    def call(self, token: OpenCall, result: Any, error: BaseException | None) -> BackwardCall:
        """The call as in a report.

        result: the return value of `torch.autograd.grad`. error: the exception that the engine raised.
        """
        self._recorders.provenance.running = None
        if token.captured and result is not None:
            token.watch.capture.captured(token.captured, result)
        flow = token.watch.capture.flow
        flow.error = None if error is None else one_line(error)
        if error is not None and flow.steps:
            token.tracing.read_failed(flow.steps[-1])
        return self._call(token, flow)

    def _note_created_graph(self, results: Iterable[torch.Tensor | None], known: Set[AutogradNode]) -> None:
        """A call under create_graph has ended; on a device, another thread created the graph of its results.

        known: the Nodes from before the call.
        """
        assert self._recorders.forward is not None
        on_device = [item for item in results if item is not None and not item.is_cpu]
        if on_device:
            self._recorders.forward.note_created_graph(walk(edges_of(on_device)), known)

    def _call(self, token: OpenCall, flow: GradientFlow) -> BackwardCall:
        recorders, head = self._recorders, token.head
        forward, run = recorders.forward, recorders.parts.run
        if forward is not None:
            token.tracing.attach_sources(forward.record.outputs.leaf_source)
        if self._plan.keeps_last:
            recorders.inventory.forget_calls()
        record, ids = self._record(token, flow)
        nodes = None if forward is None else forward.nodes()
        record.nested = run(NESTED, lambda: token.watch.nested.rows(nodes), no_nested_calls())
        graph = build_graph(record, ids, flow, nodes)
        graph.refine(lambda graph: run(SYMBOLS, lambda: self._derive(graph), None))
        wanted = None if head.wanted is None else [ids.tensor(pair) for pair in head.wanted if pair is not None]
        contains = run(RETAINED, lambda: recorders.retained.ends(head.index, record), no_rows(Contained))
        setting = replace(head.setting, wanted=wanted, contains=contains)
        if forward is None:
            return BackwardCall(head.index, head.location, graph, setting=setting)
        if threading.current_thread() is not threading.main_thread():
            graph.make()  # now, since lookups from another thread are unknown
        accumulates = head.wanted is None
        run(TRAINING, lambda: recorders.provenance.ended(head.index, record, flow, ids, accumulates), None)
        cuts, writes = self._rows_of(token, record, ids)
        trained = len(self._count.trained)
        self._plan.switch(forward.hooks, head.index + 1, trained, small=head.is_small)
        return BackwardCall(head.index, head.location, graph, cuts, writes, setting)

    def _rows_of(self, token: OpenCall, record: TracedGraph, ids: Ids) -> tuple[list[CutRow], list[WriteRow]]:
        """The cuts and writes since the last call."""
        run, rows, reads = self._recorders.parts.run, self._rows, self.reads
        assert rows is not None and reads is not None
        head, tracing = token.head, token.tracing
        cuts = run(CUTS, lambda: rows.cut_rows(head, record, ids, tracing), no_rows(CutRow))
        writes = run(CUTS, lambda: rows.write_rows(head, record, ids, tracing), no_rows(WriteRow))
        reads.call_ended(head.index, ids)
        return cuts, writes

    def _record(self, token: OpenCall, flow: GradientFlow) -> tuple[TracedGraph, Ids]:
        """Trace the graph and the parameters after backward; devices are waited for once."""
        run, inventory, grads = self._recorders.parts.run, self._recorders.inventory, token.grads
        beside = [self._recorders.values]
        if grads is not None:
            run(PARAMETERS, lambda: inventory.read_after(grads), None)
            beside.append(grads.batch)
        record = token.tracing.close(ran=True, counts=flow.arrived.counts(), beside=beside)
        token.watch.capture.tell_rows()
        ids = Ids(record)
        if grads is not None:
            run(PARAMETERS, lambda: inventory.ends(token.head.index, grads, record.tensors, ids), None)
        return record, ids
