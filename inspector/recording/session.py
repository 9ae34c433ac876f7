"""Records every backward call and builds its Graph. Internal errors never reach the user's program."""

from __future__ import annotations

import contextlib
import itertools
import linecache
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch

from inspector import torch_api
from inspector.derivatives import add_local_derivatives
from inspector.graph.row_types import Source
from inspector.graph.values import Unknown, unknown
from inspector.recording.deep_graph_keepalive import DEEP_GRAPHS
from inspector.recording.engine_hook import EngineCall, EngineHook
from inspector.recording.forward import ForwardRecorder
from inspector.recording.gradient_hooks import GradientCapture
from inspector.recording.parts import Parts, described, one_line
from inspector.recording.saved_tensor_writes import SavedMemory, written_by_arrays
from inspector.recording.thread_bound_forward import ThreadBoundForward
from inspector.recording.training.grad_provenance import GradProvenance
from inspector.recording.training.leaf_registry import LeafRegistry, grads_of
from inspector.recording.training.optimizer_events import OptimizerEvents
from inspector.recording.training.parameter_inventory import Given, Grads, ModuleInventory
from inspector.recording.training.retained_graphs import RetainedGraphs
from inspector.report import BackwardCall, Inventory, Mode, Recording, Setting, mask_addresses
from inspector.report.row_types import Alive, Contained, CutRow, EventRow, WriteRow
from inspector.tensor_stats import Batch
from inspector.torch_api.formulas import FORMULAS
from inspector.torch_api.modes import FAST_PATHS, FUNCTION_MODES, unobserved
from inspector.torch_api.nodes import SEQUENCE_NUMBERS
from inspector.torch_api.saved_tensors import HOOKS
from inspector.torch_api.tensors import VERSIONS, VIEWS
from inspector.tracing.build_graph import build_graph
from inspector.tracing.gradient_flow import GradientFlow
from inspector.tracing.ids import Ids
from inspector.tracing.roots import edges_of, gradient_edge
from inspector.tracing.snapshot import FULL_NODES, GraphSnapshot, Pair, TracedGraph
from inspector.tracing.walk import AutogradNode, walk
from inspector.user_code.paths import UserFiles, column_of
from inspector.user_code.variable_names import Names, names_from

_NAMES, _PARAMETERS = "names of tensors", "parameters and modules"
_TRAINING, _RETAINED = "optimizers and changes to grads between the calls", "graphs kept alive"
_ORIGINAL = "torchviz's pictures"
_CUTS, _FORWARD = "cuts and in-place writes", "lines, modules and values of the forward"
"""Parts of a recording, as named in a remark when one fails."""

Row = TypeVar("Row")

DEFAULT_WATCH = 3
"""Number of backward calls to record: enough to see what changes from step to step."""

SMALL_NODES = 100
"""Graphs of up to this many Nodes are traced in full in every call, which costs a few milliseconds at most."""

_ASKS_FOR_GRAD = re.compile(r"([A-Za-z_][\w.]*(?:\[[^\]]*\])?)\.grad\b")
"""Matches `coeffs.grad` in the source of a script."""

_ONLY_DRAWN = "only the drawn backward calls are recorded in full"
_TOO_LARGE = f"more than {FULL_NODES:,} Nodes: only the structure was recorded"


@dataclass(frozen=True, slots=True)
class CallInfo:
    """What is known of a backward call when it starts, see `BackwardCall`."""

    index: int
    location: Source | Unknown
    recording: Mode
    scale: float | None
    wanted: list[Pair | None] | None
    cuts_of_roots: frozenset[int]  # indices of the cuts that the data of a root without a grad_fn went through
    alive: list[Alive]


@dataclass(slots=True)
class OpenCall:
    """A backward call in progress."""

    head: CallInfo
    tracing: GraphSnapshot
    capture: GradientCapture
    outputs: list[Any]
    captured: list[Pair | None]
    pause: contextlib.ExitStack  # of the tracing of lines, while the engine runs and our hooks with it
    grads: Grads | None
    created_from: list[AutogradNode] | None  # under create_graph: the Nodes of what backward starts with


@dataclass(frozen=True)
class WatchPlan:
    """Which backward calls to record, and how to record their forward.

    limit: number of calls; None: record all until `close` and keep the last. mode: "full" records calls that will
    be `drawn` (by index, from 1) in full and others in light mode, "light" records all in light mode, "none"
    records nothing of the forward.
    """

    limit: int | None = DEFAULT_WATCH
    mode: Mode = "full"
    drawn: Callable[[int], bool] = lambda index: index == 1


class Session:
    """Records the `wanted` backward calls.

    calls: the calls so far. on_done is called once, when the last wanted call has ended. `on_stop`, if given, is
    then called instead of returning from that call (`--stop`).
    given: the modules whose parameters are listed; by default the modules in the script's variables.
    sign: a context manager, open with a text while the script waits for the inspector.
    before: called for each recorded call before backward runs, with its index, its roots and the script's names.
    """

    def __init__(
        self,
        files: UserFiles,
        plan: WatchPlan,
        *,
        on_done: Callable[[], None] | None = None,
        on_stop: Callable[[], None] | None = None,
        given: Given | None = None,
        progress: Callable[[str], contextlib.AbstractContextManager[None]] = lambda text: contextlib.nullcontext(),
        before: Callable[[int, tuple[Any, ...], Names], None] | None = None,
    ) -> None:
        self.calls: list[BackwardCall] = []
        self.failure: str | None = None
        self.watched = 0
        self._files = files
        self._watch = plan.limit
        self._parts = Parts()
        self.mode = mode = possible_mode(plan.mode)
        self._drawn = plan.drawn
        self._values = Batch()
        self._forward = None if mode == "none" else ForwardRecorder(mode, self._values, files)
        self._on_done = on_done
        self._on_stop = on_stop
        self._progress = progress
        self._before = before
        self._engine = EngineHook(self)
        self._leaves = LeafRegistry() if self._forward is None else self._forward.leaves
        self._inventory = ModuleInventory(self._leaves, given)
        self._provenance = GradProvenance(self._leaves, files)
        ended, fail = (lambda: self.watched), self._training_failed
        self._training = OptimizerEvents(files, self._provenance, self._made_by, ended, fail)
        self._retained_graphs = RetainedGraphs(self._source)
        if self._forward is not None:
            self._forward.on_compile = self._training.uninstall
        self._indexes = itertools.count(1)  # threads may start calls at the same time
        self._cut_counts: list[int] = []  # of the recorder's cuts, those of calls that have ended
        self._writes = 0
        self._calls_without_graph: list[EventRow] = []
        self._ids: list[Ids] = []
        self._reads: list[int] = []  # how many readings of grads there were when each call ended

    def watch_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Record an optimizer that the script created earlier."""
        self._training.add_optimizer(optimizer)

    def open(self) -> None:
        """Start recording."""
        HOOKS.install()
        self._engine.install()
        if self._forward is not None:
            self._set_forward(1)
            self._parts.run(_TRAINING, self._training.install, None)
            # Last: it takes off what a use of torch.compile forbids.
            self._parts.run(_FORWARD, self._forward.start, None)

    def close(self) -> None:
        """Remove all hooks. May be called again."""
        steps = [self._training.uninstall, self._engine.uninstall, HOOKS.uninstall, DEEP_GRAPHS.release]
        for step in steps if self._forward is None else [self._forward.stop, *steps]:
            try:
                step()
            except Exception as error:
                self._parts.fail(_FORWARD, error)

    @property
    def remarks(self) -> list[str]:
        """Why something was not recorded: torch.compile, another tracer, a capability that this torch lacks, an
        internal error."""
        if self.watched and not FORMULAS.is_here:  # they are read when a graph is written, which may be later
            FORMULAS.miss()
        forward = [] if self._forward is None else self._forward.unknown
        found = (*torch_api.remarks(), *forward, *self._parts.remarks)
        return [mask_addresses(remark) for remark in found if _ONLY_DRAWN not in remark]

    @property
    def inventory(self) -> Inventory:
        """The script's models, parameters and optimizers, as far as they were seen."""
        optimizers = self._training.optimizers
        leaves = self._provenance.rows(optimizers.of_leaves())
        return Inventory(self._inventory.parameters(), self._inventory.modules(), optimizers.rows(), leaves)

    @property
    def events(self) -> list[EventRow]:
        """The events around the backward calls: actions of optimizers, in order, then reads of grads."""
        return [*self._training.events(), *self._calls_without_graph, *self._read_events()]

    @property
    def is_done(self) -> bool:
        """Whether all wanted calls have ended."""
        return self._watch is not None and self.watched >= self._watch

    def before_backward(self, call: EngineCall) -> OpenCall | None:
        """Trace the graph before backward."""
        if self.is_done:
            return None
        pause = contextlib.ExitStack()
        try:
            pause.enter_context(self._paused())
            with self._progress("tracing the graph"):
                return self._start(call, pause)
        except BaseException as error:
            with contextlib.suppress(Exception):
                pause.close()
            if not isinstance(error, Exception):  # Ctrl-C is the script's
                raise
            self._fail(error)
            return None

    def after_backward(self, token: OpenCall | None, result: Any, error: BaseException | None) -> None:
        """Trace the graph after backward."""
        if token is None:
            return
        try:
            with token.pause, self._progress("reading what backward left"):
                self._end(token, result, error)
            if self._forward is not None:
                self._forward.resume_lines()
        except Exception as ours:
            self._fail(ours)
        if self.is_done:
            self.close()
            self._notify_done()

    def instead_of_return(self) -> Callable[[], None] | None:
        """`--stop`, once all wanted calls have ended."""
        return self._on_stop if self.is_done else None

    def _start(self, call: EngineCall, pause: contextlib.ExitStack) -> OpenCall:
        DEEP_GRAPHS.release()
        roots = [(output, edge) for output in call.given.outputs if (edge := gradient_edge(output)) is not None]
        graph = walk(edge for _, edge in roots)
        if (forward := self._forward) is not None:
            forward.renumber_engine_nodes(graph)
        index = next(self._indexes)
        is_full = self._is_full(index) or len(graph.nodes) <= SMALL_NODES or not _are_finite(call.given.outputs)
        batch = Batch("full" if is_full else "light", self._values)
        outputs = [output for output, _ in roots]
        run = self._parts.run
        names = run(_NAMES, lambda: names_from(call.frame, self._files, self._inventory.given()), Names())
        run(_TRAINING, lambda: self._note_training(index, names), None)
        if (before := self._before) is not None:
            run(_ORIGINAL, lambda: before(index, call.given.outputs, names), None)
        tracing = GraphSnapshot(graph, outputs, names, batch)
        grads = run(_PARAMETERS, lambda: self._inventory.begins(names, tracing), None)
        run(_TRAINING, lambda: self._provenance.begins(index, tracing), None)
        if forward is not None:
            tracing.attach_forward_values(forward.made)
        capture = GradientCapture(batch)
        pause.callback(capture.remove)  # also if we are interrupted
        if len(tracing.walk.nodes) <= FULL_NODES:
            capture.install(tracing.walk, runs_all=call.given.accumulates and not call.given.inputs)
        else:
            capture.flow.not_recorded = _TOO_LARGE
        wanted = [_pair_of_input(item, tracing) for item in call.given.inputs]
        captured = [] if call.given.accumulates else wanted
        scale = self._training.take_scale()
        if not roots:
            self._note_without_graph(call, names)
        if forward is not None:
            forward.backward_begins(index, call.frame, call.given.outputs)
        cuts_of_roots = self._cuts_of_roots(call)
        alive = run(_RETAINED, lambda: self._retained_graphs.begins(index, graph, names), _no_rows(Alive))
        head = CallInfo(index, self._location(call), self._recording, scale, wanted or None, cuts_of_roots, alive)
        given = None if call.given.starts_with is None else walk(edges_of(call.given.starts_with)).nodes
        return OpenCall(head, tracing, capture, outputs, captured, pause, grads, given)

    def _note_training(self, index: int, names: Names) -> None:
        """Update the names of the parameters, the modules that ran, and the replaced parameters."""
        self._leaves.update_names(names)
        if self._forward is not None:
            ran = [module for reference in self._forward.roots if (module := reference()) is not None]
            self._leaves.mark_as_run(map(names.tree, ran), self._forward.without_graph)
            self._leaves.find_sources(self._forward.leaf_source)
            self._training.optimizers.update(index, names, self._forward.leaf_source)

    def _source(self, node: AutogradNode) -> Any:
        return None if self._forward is None else self._forward.source(self._forward.sequence_number_of(node))

    def _end(self, token: OpenCall, result: Any, error: BaseException | None) -> None:
        token.capture.remove()
        if self._forward is not None:
            self._forward.backward_ends()
            if token.created_from is not None:
                self._note_created_graph(token, result)
        self.watched += 1
        self._provenance.running = None
        if token.captured and result is not None:
            token.capture.captured(token.captured, result)
        flow = token.capture.flow
        flow.error = None if error is None else one_line(error)
        if error is not None and flow.steps:
            token.tracing.look_into(flow.steps[-1])
        call = self._call(token, flow)
        if self._watch is None:
            self.calls.clear()
        self.calls.append(call)
        self.calls.sort(key=lambda call: call.index)  # threads may end in another order than they began
        DEEP_GRAPHS.keep(token.tracing.walk, token.outputs)

    def _note_created_graph(self, token: OpenCall, result: Any) -> None:
        """After a call under create_graph: note the graph of its results, which another thread creates on a
        device."""
        assert self._forward is not None and token.created_from is not None
        gave = result if isinstance(result, tuple) else grads_of([leaf for _, leaf in token.tracing.leaves()])
        on_device = [item for item in gave if item is not None and not item.is_cpu]
        if on_device:
            self._forward.note_created_graph(
                walk(edges_of(on_device)), {*token.tracing.walk.index, *token.created_from}
            )

    def _call(self, token: OpenCall, flow: GradientFlow) -> BackwardCall:
        if self._forward is not None:
            token.tracing.attach_sources(self._forward.leaf_source)
        if self._watch is None:
            self._inventory.forget_calls()
        record, ids = self._record(token, flow)
        graph = build_graph(
            record, ids, flow, None if self._forward is None else ThreadBoundForward(self._forward)
        )
        graph.refine(add_local_derivatives)
        head = token.head
        wanted = None if head.wanted is None else [ids.tensor(pair) for pair in head.wanted if pair is not None]
        contains = self._parts.run(
            _RETAINED, lambda: self._retained_graphs.ends(head.index, record), _no_rows(Contained)
        )
        setting = Setting(head.recording, head.scale, wanted, contains, head.alive)
        if self._forward is None:
            return BackwardCall(head.index, head.location, graph, setting=setting)
        if threading.current_thread() is not threading.main_thread():
            graph.make()  # now: who asks later does so from another thread
        self._parts.run(
            _TRAINING, lambda: self._provenance.ended(head.index, record, flow, ids, head.wanted is None), None
        )
        cuts = self._parts.run(_CUTS, lambda: self._cut_rows(head, record, ids, token.tracing), _no_rows(CutRow))
        writes = self._parts.run(
            _CUTS, lambda: self._write_rows(head, record, ids, token.tracing), _no_rows(WriteRow)
        )
        self._reads.append(len(self._forward.reads))
        self._ids.append(ids)
        self._set_forward(head.index + 1, small=len(record.nodes) <= SMALL_NODES)
        return BackwardCall(head.index, head.location, graph, cuts, writes, setting)

    def _record(self, token: OpenCall, flow: GradientFlow) -> tuple[TracedGraph, Ids]:
        """The graph and the parameters after backward, read back from a device in one go."""
        run, grads = self._parts.run, token.grads
        beside = [self._values]
        if grads is not None:
            run(_PARAMETERS, lambda: self._inventory.look_again(grads), None)
            beside.append(grads.batch)
        record = token.tracing.close(ran=True, counts=flow.counts(), beside=beside)
        ids = Ids(record)
        if grads is not None:
            run(_PARAMETERS, lambda: self._inventory.ends(token.head.index, grads, record.tensors, ids), None)
        return record, ids

    @property
    def _recording(self) -> Mode:
        """The current recording mode of the forward in this thread."""
        if self._forward is None:
            return "none"
        is_here = threading.current_thread() is threading.main_thread()
        return self._forward.mode if is_here else "light"

    def _is_full(self, index: int) -> bool:
        """Whether a call is recorded in full, which only drawn calls are."""
        return self.mode == "full" and self._drawn(index)

    def _set_forward(self, index: int, *, small: bool = False) -> None:
        """Record the forward of a call in full or light mode. small: whether the graph of the last call was small.
        """
        assert self._forward is not None
        if self._is_full(index) or (small and self.mode == "full"):
            self._forward.switch_to_full()
        else:
            self._forward.switch_to_light(_ONLY_DRAWN)

    def _read_events(self) -> Iterator[EventRow]:
        """The places where the script read the grad of a non-leaf tensor of an earlier call."""
        for position, read in enumerate([] if self._forward is None else self._forward.reads):
            ended = sum(1 for count in self._reads if count <= position)
            tensor = next((found for ids in self._ids[:ended][::-1] if (found := ids.recorded(read["of"]))), None)
            if tensor is not None:
                yield {
                    "event": "read_grad",
                    "after_call": ended,
                    "optimizer": None,
                    "source": read["source"],
                    "tensor": tensor,
                }

    def _note_without_graph(self, call: EngineCall, names: Names) -> None:
        """No root requires a gradient: find the tensors that the script meant to require one, since it reads their
        grad."""
        location = self._location(call)
        frame = call.frame
        text = "" if frame is None else "".join(linecache.getlines(frame.f_code.co_filename))
        asked = set(_ASKS_FOR_GRAD.findall(text))
        named = [names.name(tensor) for tensor in names.tensors if not tensor.requires_grad]
        self._calls_without_graph.append(
            {
                "event": "without_graph",
                "after_call": self.watched,
                "optimizer": None,
                "source": location,
                "parameters": [name for name in named if name is not None and name in asked],
            }
        )

    def _made_by(self, tensor: torch.Tensor) -> Any:
        """The line that created a non-leaf tensor, or unknown."""
        source = None if self._forward is None else self._forward.made_at(tensor)
        return source or unknown("the operation that created it was not recorded")

    def _cuts_of_roots(self, call: EngineCall) -> frozenset[int]:
        roots = [root for root in call.given.outputs if isinstance(root, torch.Tensor) and root.grad_fn is None]
        return frozenset() if self._forward is None else self._forward.cut_ancestry(roots)

    def _cut_rows(self, head: CallInfo, record: TracedGraph, ids: Ids, tracing: GraphSnapshot) -> list[CutRow]:
        """The cuts since the last call, with their counts and the functions that used their results."""
        assert self._forward is not None
        cuts = self._forward.cuts
        earlier = [*self._cut_counts, *([0] * (len(cuts) - len(self._cut_counts)))]
        self._cut_counts = [cut["count"] for cut in cuts]
        into = self._reached(record, ids) if head.recording == "full" else {}
        made = [
            self._forward.thread_counter_at(record.nodes[position].sequence_nr) for position, _ in record.roots
        ]
        last = max(made, default=None)
        self._forward.mark_cuts_reported()
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
        """The names of the leaves before a cut that are not reachable from the roots of this call.

        A leaf that nothing holds any more, such as a weight before it was tied, is not counted.
        """
        if leaves is None:
            return {"leaves": None, "beyond": None}
        alive = [(number, tensor) for number in leaves if (tensor := self._leaves.tensor(number)) is not None]
        beyond = [number for number, tensor in alive if tracing.pair_of(tensor) is None]
        return {"leaves": self._leaves.names(leaves), "beyond": self._leaves.names(beyond)}

    def _reached(self, record: TracedGraph, ids: Ids) -> dict[int, list[str]]:
        """For each cut by index, the functions of the graph that used its result."""
        forward, into = ThreadBoundForward(self._forward), defaultdict(list)  # type: ignore[arg-type]
        for position, node in enumerate(record.nodes):
            for output_nr in range(len(node.outputs)):
                output = forward.output(node.sequence_nr, output_nr)
                for index in sorted(output.cuts) if output is not None else ():
                    into[index].append(ids.function(position))
        return into

    def _write_rows(self, head: CallInfo, record: TracedGraph, ids: Ids, tracing: GraphSnapshot) -> list[WriteRow]:
        """The writes found by `_new_writes`, and writes through arrays."""
        assert self._forward is not None
        writes = self._new_writes(SavedMemory(record, ids, self._forward.thread_counter_at))
        by_arrays = written_by_arrays(record, ids, self._forward) if head.recording == "full" else ()
        return [*(cast(WriteRow, self._row(write, "to", ids, tracing)) for write in writes), *by_arrays]

    def _new_writes(self, saved: SavedMemory) -> list[dict[str, Any]]:
        """The writes since the last call, and earlier writes that overwrote saved tensors of this graph."""
        assert self._forward is not None
        writes = [write | {"saved": saved.saved_in(write)} for write in self._forward.writes]
        new, self._writes = self._writes, len(writes)
        return [
            write
            for number, write in enumerate(writes)
            if write["saved"] or (number >= new and _is_of_the_script(write))
        ]

    def _paused(self) -> contextlib.AbstractContextManager[None]:
        """Exclude the inspector's own Python code from line tracing while open."""
        return contextlib.nullcontext() if self._forward is None else self._forward.lines_paused()

    def _row(self, found: dict[str, Any], key: str, ids: Ids, tracing: GraphSnapshot) -> dict[str, Any]:
        """The row of a cut or write; its tensor by id in the graph (None outside of the graph)."""
        row = {name: item for name, item in found.items() if name not in (key, *_NOT_IN_ROWS)}
        row["tensor"] = ids.recorded(found[key])
        if found["leaf"] is not None and self._forward is not None:
            leaf = self._forward.leaves.tensor(found["leaf"])
            pair = None if leaf is None else tracing.pair_of(leaf)
            row["tensor"] = None if pair is None else ids.tensor(pair)
        return row

    def _location(self, call: EngineCall) -> Source | Unknown:
        frame = call.frame
        while frame is not None and not self._files.is_users(frame.f_code.co_filename):
            frame = frame.f_back
        frame = frame or call.frame
        if frame is None:
            return {"unknown": "backward was not called from Python"}
        path, line = frame.f_code.co_filename, frame.f_lineno
        column = column_of(frame)
        return {
            "file": self._files.display_path(path),
            "line": line,
            "code": self._files.statement_at(path, line, column),
        }

    def _fail(self, error: Exception) -> None:
        """After an internal error: remember it, remove all hooks, and let the script go on."""
        self.failure = described(error)
        self.close()

    def _training_failed(self, error: Exception) -> None:
        """After an internal error while recording optimizers: stop that part only."""
        self._parts.fail(_TRAINING, error)
        self._training.uninstall()

    def _notify_done(self) -> None:
        if self._on_done is None:
            return
        done, self._on_done = self._on_done, None
        try:
            done()
        except Exception as error:
            self._fail(error)


def _no_rows(kind: type[Row]) -> list[Row]:
    """The result of a part that has failed: an empty list of these rows."""
    return []


def possible_mode(wanted: Mode) -> Mode:
    """The mode that this torch allows: without sequence numbers and versions the forward cannot be recorded."""
    if wanted != "none" and any(capability.parts is None for capability in (SEQUENCE_NUMBERS, VERSIONS)):
        return "none"
    if wanted == "full" and any(capability.parts is None for capability in (FUNCTION_MODES, FAST_PATHS, VIEWS)):
        return "light"
    return wanted


def recording_of(session: Session, drawn: list[int]) -> Recording:
    """The `recording` object of report.json: what was recorded, and what of the forward was not."""
    recording = Recording(mode=session.mode, watched=session.watched, drawn=drawn)
    return Recording(**recording, remarks=session.remarks) if session.remarks else recording


_NOT_IN_ROWS = ("leaf", "memory", "number")
"""Facts about a cut or write that only hold while its tensor is alive."""


def _are_finite(outputs: tuple[Any, ...]) -> bool:
    """Whether the roots are finite; if not, a full recording is worth its cost."""
    with unobserved():
        numbers = [item.detach() for item in outputs if isinstance(item, torch.Tensor) and item.numel() == 1]
        return all(bool(torch.isfinite(item).all()) for item in numbers if not item.is_meta)


def _pair_of_input(item: Any, tracing: GraphSnapshot) -> Pair | None:
    if isinstance(item, torch.Tensor):  # torch's own get_gradient_edge fails for a sparse CSR leaf
        return tracing.pair_of(item)
    edge = gradient_edge(item)
    if edge is None or edge[0] not in tracing.walk.index:
        return None
    return tracing.walk.index[edge[0]], edge[1]


def _is_of_the_script(write: dict[str, Any]) -> bool:
    """Whether a write is more than a library's initialisation of a parameter."""
    return write["leaf"] is None or bool(write["direct"])
