"""Records every backward call and builds its Graph. Internal errors never reach the user's program."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch
from msgspec import Struct, field
from msgspec.structs import replace

from inspector import torch_api
from inspector.derivatives import add_local_derivatives
from inspector.graph import Graph
from inspector.recording.call_count import CallCount
from inspector.recording.call_end import CallEnd
from inspector.recording.call_start import Before, CallStart
from inspector.recording.deep_graph_keepalive import DEEP_GRAPHS
from inspector.recording.engine_hook import EngineCall, EngineHook
from inspector.recording.forward import ThreadNodes
from inspector.recording.open_call import CountedCall, OpenCall
from inspector.recording.parts import EVENTS, FORWARD, INVENTORY, NESTED, TRAINING, described, no_rows
from inspector.recording.recorders import make_recorders
from inspector.recording.training.leaf_registry import is_leaf
from inspector.recording.training.parameter_inventory import Given
from inspector.recording.watch_plan import ONLY_DRAWN, WatchPlan
from inspector.report import BackwardCall, Inventory, Mode, Recording, mask_addresses
from inspector.report.row_types import EventRow
from inspector.torch_api.engine import EngineArguments
from inspector.torch_api.formulas import FORMULAS
from inspector.torch_api.leaves_in_use import LEAVES_IN_USE
from inspector.torch_api.saved_tensors import HOOKS
from inspector.torch_api.tensor_references import REFERENCES
from inspector.tracing.node_reader import FULL_NODES
from inspector.user_code.paths import UserFiles
from inspector.util.deferred_signals import signals_deferred


class Callbacks(Struct, frozen=True):
    """What a Session calls.

    on_done: once, when the last wanted call has ended. on_stop: then, instead of returning from that call
    (`--stop`).
    progress: a context manager, open with a text while the script waits for the inspector.
    before: for each recorded call before backward runs, with its index, its roots and the script's names.
    is_wanted: whether a call is of the parameters that are recorded; other calls only get a number.
    derive: adds derivatives in symbols to the rows of a graph.
    """

    on_done: Callable[[], None] = lambda: None
    on_stop: Callable[[], None] | None = None
    progress: Callable[[str], contextlib.AbstractContextManager[None]] = lambda text: contextlib.nullcontext()
    before: Before | None = None
    is_wanted: Callable[[EngineCall], bool] = lambda call: True
    derive: Callable[[Graph], None] = add_local_derivatives


_Begun: TypeAlias = OpenCall | CountedCall


class _Recorded(Struct):
    """The recorded calls.

    is_reported: whether `on_done` was called. reporting: held meanwhile: the thread that trains waits for another
    one that calls it. failure: the internal error that ended the recording.
    """

    calls: list[BackwardCall]
    is_reported: bool = False
    failure: str | None = None
    reporting: threading.RLock = field(default_factory=threading.RLock)


class Session:
    """Records the backward calls of a plan.

    given: the modules whose parameters are listed; by default the modules in the script's variables.
    """

    def __init__(
        self, files: UserFiles, plan: WatchPlan, callbacks: Callbacks | None = None, given: Given | None = None
    ) -> None:
        plan = plan.supported()
        self._callbacks = callbacks or Callbacks()
        self._recorded = _Recorded([])
        self._recorders = make_recorders(files, plan.mode, given, lambda: self._count.ended)
        self._count = CallCount(plan, self._recorders.training)
        self._engine = EngineHook(self)
        self._starts = CallStart(self._recorders, plan, self._count, self._callbacks.before)
        self._ends = CallEnd(self._recorders, plan, self._count, self._callbacks.derive)
        self._references = contextlib.ExitStack()

    # Start and end

    def watch_optimizer(self, optimizer: torch.optim.Optimizer) -> int:
        """Record an optimizer that was created before the session, unless it is known. Returns its number."""
        return self._recorders.training.add_optimizer(optimizer)

    @property
    def stepping(self) -> int | None:
        """The id of the optimizer whose step is in progress, by whose closure the last call was made."""
        return self._recorders.training.stepping

    def open(self) -> None:
        """Start recording, in this process only."""
        _OPEN.add(self)
        self._references.enter_context(REFERENCES.used())
        LEAVES_IN_USE.opens()
        HOOKS.install()
        self._engine.install()
        forward, run = self._recorders.forward, self._recorders.parts.run
        if forward is not None:
            self._count.plan.switch(forward.hooks, 1, 0)
            run(TRAINING, self._recorders.training.install, None)
            # Last: if torch.compile is in use, it removes what was installed before.
            run(FORWARD, forward.start, None)

    def close(self) -> None:
        """Remove all hooks. May be called again."""
        _OPEN.discard(self)
        forward, training = self._recorders.forward, self._recorders.training
        steps = [training.uninstall, self._engine.uninstall, HOOKS.uninstall, DEEP_GRAPHS.release]
        steps += [self._references.close, LEAVES_IN_USE.closes]
        for step in steps if forward is None else [forward.stop, *steps]:
            try:
                step()
            except Exception as error:
                self._recorders.parts.fail(FORWARD, error)

    # Results

    @property
    def mode(self) -> Mode:
        """How the forward is recorded."""
        return self._count.plan.mode

    @property
    def calls(self) -> list[BackwardCall]:
        """The recorded calls that have ended, in order."""
        return [_of_step(call, self._count.step_of(call.index)) for call in self._recorded.calls]

    @property
    def made(self) -> int:
        """Number of calls that have ended, recorded or not."""
        return self._count.ended

    @property
    def watched(self) -> int:
        """Number of recorded calls that have ended."""
        return self._count.recorded

    @property
    def ended(self) -> int:
        """Number of calls that have ended, with those that were only counted."""
        return self._count.ended

    @property
    def first_trained(self) -> int | None:
        """The index of the first call that trains; None if there is none."""
        return next(iter(self._count.trained), None)

    @property
    def failure(self) -> str | None:
        """The internal error that ended the recording, in one line; None if there was none."""
        return self._recorded.failure

    @property
    def is_done(self) -> bool:
        """Whether all wanted calls have ended."""
        return self._count.is_done

    @property
    def remarks(self) -> list[str]:
        """Why something was not recorded: torch.compile, another tracer, a capability that this torch lacks, an
        internal error."""
        if self.watched and not FORMULAS.is_available:  # needed when a graph is written, which may be later
            FORMULAS.miss()
        forward = [] if self._recorders.forward is None else self._recorders.forward.record.remarks
        found = (*torch_api.remarks(), *forward, *self._recorders.parts.remarks, *self._count.remarks)
        return [mask_addresses(remark) for remark in found if ONLY_DRAWN not in remark]

    @property
    def inventory(self) -> Inventory:
        """The script's parameters, modules, optimizers and leaves, as far as they were seen."""
        optimizers, inventory = self._recorders.training.optimizers, self._recorders.inventory

        def rows() -> Inventory:
            leaves = self._recorders.provenance.rows(optimizers.of_leaves())
            rows = (inventory.parameters(), inventory.modules(), optimizers.rows(), leaves)
            return Inventory(*rows, statements=self._starts.statements)

        return self._recorders.parts.run(INVENTORY, rows, Inventory([], [], [], []))

    @property
    def events(self) -> list[EventRow]:
        """The events around the backward calls: of optimizers in order, then the reads of grads."""

        def rows() -> list[EventRow]:
            reads = () if self._ends.reads is None else self._ends.reads.events()
            return [*self._recorders.training.events(), *self._starts.without_graph, *reads]

        return self._recorders.parts.run(EVENTS, rows, no_rows(EventRow))

    def leaves(self) -> Iterator[tuple[torch.Tensor, str, list[int]]]:
        """The live leaves that require a gradient: each with its name, and the numbers of the optimizers that hold
        it."""
        leaves, holders = self._recorders.provenance.leaves, self._recorders.training.optimizers.of_leaves()
        for number in range(len(leaves)):
            tensor = leaves.tensor(number)
            if tensor is not None and tensor.requires_grad and is_leaf(tensor):
                yield tensor, leaves.name(number), holders.get(number, [])

    def called_modules(self) -> Iterator[tuple[str, torch.nn.Module]]:
        """The live outermost modules that were called, each with the beginnings of its paths in the graphs."""
        if self._recorders.forward is None:
            return
        called = self._recorders.forward.record.modules
        for module, name in itertools.zip_longest(called.alive(), called.root_names):
            if module is not None:
                yield from ((path, module) for path in ({""} if name is None else {name.path, name.variable}))

    # Called by the engine hook

    def before_backward(self, call: EngineCall) -> _Begun | None:
        """Trace the graph before backward."""
        with signals_deferred():
            return self._before(call)

    def _before(self, call: EngineCall) -> _Begun | None:
        if not self._callbacks.is_wanted(call):
            self._count.skips()
            return None
        if self.is_done:  # since a step that came after the last wanted call
            self._count.skips()
            self.close()
            return None
        index, pause = self._count.begins(), contextlib.ExitStack()
        try:
            if not self._count.is_recorded(index, accumulates=call.given.accumulates):
                counted = self._starts.start_counted(index, call)
                LEAVES_IN_USE.begins(None)
                return counted
            pause.enter_context(self._recorders.lines_paused())
            with self._callbacks.progress("tracing the graph"):
                return self._start(index, call, pause)
        except BaseException as error:
            with contextlib.suppress(Exception):
                pause.close()
            if not isinstance(error, Exception):  # Ctrl-C is for the script
                raise
            self._fail(error)
            return None

    def after_backward(self, token: _Begun | None, result: Any, error: BaseException | None) -> None:
        """Trace the graph after backward."""
        if token is not None:
            with signals_deferred():
                self._after(token, result, error)

    def _after(self, token: _Begun, result: Any, error: BaseException | None) -> None:
        LEAVES_IN_USE.ended()
        try:
            if isinstance(token, CountedCall):
                self._end_counted(token, result)
            else:
                with token.pause, self._callbacks.progress("reading what backward left"):
                    self._end(token, result, error)
            if self._recorders.forward is not None:
                self._recorders.forward.resume_lines()
        except Exception as internal:
            self._fail(internal)
        if self.is_done:
            self.close()

    def nested_call(self, token: _Begun, call: EngineArguments) -> Callable[[], None] | None:
        """Record an engine call that a Node makes in its backward."""
        if isinstance(token, CountedCall) or len(token.tracing.walk.nodes) > FULL_NODES:
            return None
        run, nested = self._recorders.parts.run, token.watch.nested
        ended = run(NESTED, lambda: nested.begins(call), None)
        return None if ended is None else lambda: run(NESTED, ended, None)

    def call_ended(self) -> None:
        """Call `on_done`, once all wanted calls have ended; not in a call of another thread that is not wanted."""
        if self.is_done and self not in _OPEN:
            self._notify_done()

    def instead_of_return(self) -> Callable[[], None] | None:
        """`on_stop`, once all wanted calls have ended."""
        return self._callbacks.on_stop if self.is_done else None

    def _start(self, index: int, call: EngineCall, pause: contextlib.ExitStack) -> OpenCall:
        token = self._starts.start(index, call, pause)
        LEAVES_IN_USE.begins(leaf for _, leaf in token.tracing.tensors.leaves())
        return token

    def _end(self, token: OpenCall, result: Any, error: BaseException | None) -> None:
        self._ends.engine_has_run(token, result)
        self._count.ends(token.head.index, accumulates=token.head.accumulates, is_recorded=True)
        call = self._ends.call(token, result, error)
        calls = self._recorded.calls
        if self._count.plan.keeps_last:
            calls.clear()
        calls.append(call)
        calls.sort(key=lambda call: call.index)  # calls of several threads may end in another order
        DEEP_GRAPHS.keep(token.tracing.walk, token.outputs)
        self._stop_forward_while_waiting()

    def _end_counted(self, token: CountedCall, result: Any) -> None:
        self._ends.counted_has_run(token, result)
        self._count.ends(token.index, accumulates=token.accumulates, is_recorded=False)
        self._stop_forward_while_waiting()

    def _stop_forward_while_waiting(self) -> None:
        """Nothing of the forward is needed while only the first step of an optimizer is awaited, except to know
        when compiled functions run."""
        forward = self._recorders.forward
        if forward is not None and self._count.waits_for_step and not forward.has_met_compiled:
            forward.stop()

    def _fail(self, error: Exception) -> None:
        """After an internal error: remember it, remove all hooks, and let the script go on."""
        self._recorded.failure = described(error)
        self.close()

    def _notify_done(self) -> None:
        with self._recorded.reporting:
            if self._recorded.is_reported:
                return
            self._recorded.is_reported = True
            try:
                with signals_deferred():
                    self._callbacks.on_done()
            except Exception as error:
                self._fail(error)


_OPEN: weakref.WeakSet[Session] = weakref.WeakSet()


def recorded_nodes() -> ThreadNodes | None:
    """What is known of the Nodes of the forward, from a recording that is open; None if there is none."""
    recorders = [session._recorders.forward for session in tuple(_OPEN)]
    return next((forward.nodes() for forward in recorders if forward is not None), None)


def _close_in_child() -> None:
    """A forked process inherits all hooks. What it does is not the script's main program."""
    for session in tuple(_OPEN):
        session.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


def _of_step(call: BackwardCall, step_of: int | None) -> BackwardCall:
    """The call with the index of the call that trains in the same step."""
    return call if step_of is None else replace(call, setting=replace(call.setting, step_of=step_of))


def recording_of(session: Session, drawn: list[int]) -> Recording:
    """The `recording` object of report.json. drawn: the indexes of the calls to draw."""
    recording = Recording(mode=session.mode, watched=session.watched, drawn=drawn)
    return Recording(**recording, remarks=session.remarks) if session.remarks else recording
