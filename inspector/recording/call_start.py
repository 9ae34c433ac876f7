"""The start of a backward call: trace its graph before the engine runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import torch

from inspector.graph.row_types import Source
from inspector.graph.values import Unknown, is_unknown
from inspector.recording.call_count import CallCount
from inspector.recording.calls_without_graph import without_graph_event
from inspector.recording.deep_graph_keepalive import DEEP_GRAPHS
from inspector.recording.engine_hook import EngineCall
from inspector.recording.forward import ForwardRecord, ThreadNodes
from inspector.recording.gradient_hooks import CreationWatch, GradientCapture
from inspector.recording.nested_calls import NestedCalls
from inspector.recording.open_call import CallInfo, CountedCall, EngineWatch, OpenCall
from inspector.recording.parts import NAMES, ORIGINAL, PARAMETERS, RETAINED, STATEMENTS, TRAINING, no_rows
from inspector.recording.recorders import Recorders
from inspector.recording.reducing_wrappers import reducing_wrappers
from inspector.recording.training.idle_code import IdleCode, Seen
from inspector.recording.training.lost_parameters import LostParameters
from inspector.recording.watch_plan import WatchPlan, is_small, mode_here
from inspector.report import Setting
from inspector.report.row_types import Alive, EventRow, StatementRow, WrapperRow
from inspector.tensor_stats import Batch
from inspector.tensor_stats.plain_tensor import plain_tensor, stored
from inspector.torch_api.leaves_in_use import LEAVES_IN_USE
from inspector.torch_api.modes import unobserved
from inspector.tracing.node_reader import FULL_NODES
from inspector.tracing.roots import edges_of, gradient_edge
from inspector.tracing.snapshot import GraphSnapshot
from inspector.tracing.traced_graph import Pair
from inspector.tracing.walk import walk
from inspector.user_code.library_lines import source_of, users_frame
from inspector.user_code.module_names import root_names
from inspector.user_code.paths import UserFiles
from inspector.user_code.variable_names import Names, names_from

Before: TypeAlias = Callable[[int, tuple[Any, ...], Names], None]
"""Called for each recorded call before backward runs, with its index, its roots and the script's names."""

_TOO_LARGE = f"more than {FULL_NODES:,} Nodes: only the structure was recorded"


class CallStart:
    """Starts the calls of a session.

    before: see `Before`. without_graph: the events of calls none of whose roots has a graph.
    """

    def __init__(self, recorders: Recorders, plan: WatchPlan, count: CallCount, before: Before | None) -> None:
        self.without_graph: list[EventRow] = []
        self._statements = IdleCode(recorders.files, _seen(recorders))
        forward = recorders.forward
        self._lost = None if forward is None else LostParameters(forward.record.outputs.leaf_source)
        self._recorders = recorders
        self._plan = plan
        self._count = count
        self._before = before

    def start(self, index: int, call: EngineCall, pause: contextlib.ExitStack) -> OpenCall:
        """Trace the graph of a call and install its hooks. pause: closed when the call has ended."""
        DEEP_GRAPHS.release()
        recorders = self._recorders
        roots = [(output, edge) for output in call.given.outputs if (edge := gradient_edge(output)) is not None]
        graph = walk(edge for _, edge in roots)
        forward = recorders.forward
        nodes = None if forward is None else forward.nodes()
        if nodes is not None:
            nodes.renumber_engine_nodes(graph)
        batch = Batch(self._mode(index, small := is_small(graph.nodes), call), recorders.values)
        outputs = [output for output, _ in roots]
        run = recorders.parts.run
        names = self._names(call)
        run(TRAINING, lambda: self._note_training(index, names), None)
        run(STATEMENTS, lambda: self._statements.read(call.frame), None)
        if (before := self._before) is not None:
            run(ORIGINAL, lambda: before(index, call.given.outputs, names), None)
        tracing = GraphSnapshot(graph, outputs, names, batch)
        grads = run(PARAMETERS, lambda: recorders.inventory.begins(names, tracing), None)
        run(TRAINING, lambda: self._note_lost(tracing, call.given.accumulates), None)
        run(TRAINING, lambda: recorders.provenance.begins(index, tracing), None)
        self._attach_forward(tracing, nodes, names)
        watch = self._watch(call, tracing, batch, pause)
        location = _location(call, recorders.files)
        wanted = [_pair_of_input(item, tracing) for item in call.given.inputs]
        accumulates = call.given.accumulates
        if not roots:
            self.without_graph.append(without_graph_event(call.frame, location, names, self._count.ended))
        if forward is not None:
            forward.backward_begins(index, call.frame, call.given.outputs)
        cuts_of_roots = _cuts_of_roots(call, None if forward is None else forward.record)
        alive = run(RETAINED, lambda: recorders.retained.begins(index, graph, names), no_rows(Alive))
        wrappers = run(NAMES, lambda: reducing_wrappers(names, tracing, nodes), no_rows(WrapperRow))
        setting = Setting(mode_here(forward), recorders.training.take_scale(), alive=alive, wrappers=wrappers)
        head = CallInfo(index, accumulates, location, setting, wanted or None, cuts_of_roots, small)
        given = walk(edges_of(call.given.gradients)).nodes if call.given.creates_graph else None
        return OpenCall(head, tracing, watch, outputs, [] if accumulates else wanted, pause, grads, given)

    @property
    def statements(self) -> list[StatementRow]:
        """The statements without effect in the functions that made the first recorded calls, and those that make
        parameters which nothing trains."""
        return self._statements.rows + ([] if self._lost is None else self._lost.rows)

    def _watch(
        self, call: EngineCall, tracing: GraphSnapshot, batch: Batch, pause: contextlib.ExitStack
    ) -> EngineWatch:
        """What sees the engine while it runs; its hooks are installed."""
        forward, graph, creation = self._recorders.forward, tracing.walk, None
        if forward is not None and call.given.creates_graph and forward.record.is_recorders_thread():
            creation = CreationWatch(forward.runs_node(graph.structure.names), forward.gradients_flow)
        capture = _capture(call, tracing, GradientCapture(batch, creation), pause)
        nested = NestedCalls(graph, batch, self._recorders.provenance.leaves.name_of)
        pause.callback(nested.ends)  # also after an internal error
        return EngineWatch(capture, nested)

    def _attach_forward(self, tracing: GraphSnapshot, nodes: ThreadNodes | None, names: Names) -> None:
        """Attach what is known of the forward."""
        self._recorders.parts.run(NAMES, lambda: tracing.attach_compiled(self._recorders.files), None)
        if nodes is not None:
            tracing.attach_forward_values(nodes.content_at_last_use)
            nodes.add_names((tensor, name) for tensor, name, _ in names.rows())
            tracing.attach_uses(nodes.use)

    def _note_lost(self, tracing: GraphSnapshot, accumulates: bool) -> None:
        """Note the parameters of the graph that nothing holds; the names have been updated."""
        forward = self._recorders.forward
        if self._lost is None or forward is None or LEAVES_IN_USE.may_be_elsewhere:
            return
        nodes, walked = forward.nodes(), tracing.walk
        users: dict[int, int] = {}  # of each Node, the first that uses its output; read on first use

        def used_at(position: int) -> Any:
            if not users:
                users.update({at: source for source, _, at, _ in reversed([*walked.structure.edges()])})
            if position not in users or not accumulates:
                return None
            found = nodes.source(nodes.sequence_number_of(walked.nodes[users[position]]))
            return None if is_unknown(found) else found

        self._lost.begins(tracing.tensors.leaves(), self._recorders.provenance.leaves.__contains__, used_at)

    def _names(self, call: EngineCall) -> Names:
        """The script's names for tensors and, for the recorded forward, for the outermost modules."""
        recorders, run = self._recorders, self._recorders.parts.run
        names = run(NAMES, lambda: names_from(call.frame, recorders.files, recorders.inventory.given()), Names())
        if recorders.forward is not None:
            called = recorders.forward.record.modules
            called.root_names = run(NAMES, lambda: root_names(called.alive(), names, called.members()), ())
        return names

    def _mode(self, index: int, small: bool, call: EngineCall) -> Literal["full", "light"]:
        """How the values of a call are read."""
        is_full = small or self._plan.is_full(index, len(self._count.trained))
        return "full" if is_full or not _are_finite(call.given.outputs) else "light"

    def start_counted(self, index: int, call: EngineCall) -> CountedCall:
        """Start a call that is only counted: the Nodes that it creates do not belong to the forward."""
        DEEP_GRAPHS.release()
        self._recorders.training.take_scale()
        forward = self._recorders.forward
        if forward is not None:
            forward.backward_begins(index, call.frame, call.given.outputs)
        given, known = call.given, None
        on_device = any(isinstance(item, torch.Tensor) and not item.is_cpu for item in given.outputs)
        if given.creates_graph and not given.accumulates and on_device:
            below = [edge for item in given.outputs if (edge := gradient_edge(item)) is not None]
            known = frozenset(walk([*below, *edges_of(given.gradients)]).nodes)
        return CountedCall(index, given.accumulates, known)

    def _note_training(self, index: int, names: Names) -> None:
        """Update the names of parameters, the modules that have run, and the parameters that were replaced."""
        forward, leaves = self._recorders.forward, self._recorders.provenance.leaves
        leaves.update_names(names)
        if forward is not None:
            modules, leaf_source = forward.record.modules, forward.record.outputs.leaf_source
            ran = [module for module in modules.alive() if module is not None]
            leaves.mark_as_run(map(names.tree, ran), modules.without_graph.source)
            leaves.find_sources(leaf_source)
            self._recorders.training.optimizers.update(index, names, leaf_source)


def _seen(recorders: Recorders) -> Seen:
    """What else is seen of the script where statements without effect are looked for."""
    optimizers = recorders.training.optimizers
    if recorders.forward is None:
        return Seen(objects=optimizers.alive)
    record = recorders.forward.record
    return Seen(record.direct_lines, lambda: [*optimizers.alive(), *record.modules.alive()])


def _capture(
    call: EngineCall, tracing: GraphSnapshot, capture: GradientCapture, pause: contextlib.ExitStack
) -> GradientCapture:
    """Install the hooks that capture gradients, unless the graph is too large."""
    pause.callback(capture.remove)  # also after Ctrl-C
    if len(tracing.walk.nodes) <= FULL_NODES:
        capture.install(tracing.walk, runs_all=call.given.accumulates and not call.given.inputs)
        if len(call.given.gradients) == len(call.given.outputs) == len(tracing.walk.roots):
            capture.started(tracing.walk.roots, call.given.gradients)
    else:
        capture.flow.not_recorded = _TOO_LARGE
    return capture


def _location(call: EngineCall, files: UserFiles) -> Source | Unknown:
    frame = users_frame(call.frame, files) or call.frame
    if frame is None:
        return {"unknown": "backward was not called from Python"}
    return source_of(frame, call.frame, files)


def _cuts_of_roots(call: EngineCall, forward: ForwardRecord | None) -> frozenset[int]:
    roots = [root for root in call.given.outputs if isinstance(root, torch.Tensor) and root.grad_fn is None]
    return frozenset() if forward is None else forward.cuts_and_writes.cut_ancestry(roots)


def _are_finite(outputs: tuple[Any, ...]) -> bool:
    """Whether the scalar roots are finite; if not, a full trace is worth its cost."""
    with unobserved():
        given = [plain_tensor(item)[0] for item in outputs if isinstance(item, torch.Tensor)]
        numbers = [item for item in given if item is not None and item.numel() == 1]
        return all(bool(torch.isfinite(stored(item)).all()) for item in numbers)


def _pair_of_input(item: Any, tracing: GraphSnapshot) -> Pair | None:
    if isinstance(item, torch.Tensor):  # torch's own get_gradient_edge fails for a sparse CSR leaf
        return tracing.tensors.pair_of(item)
    edge = gradient_edge(item)
    if edge is None or edge[0] not in tracing.walk.index:
        return None
    return tracing.walk.index[edge[0]], edge[1]
