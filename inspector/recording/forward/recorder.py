"""Record a forward while the user's script runs it: lines, modules and outputs, into a `ForwardRecord`."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence, Set
from types import CodeType, FrameType
from typing import Any, Protocol

import torch

from inspector.recording.forward import compile_watch
from inspector.recording.forward.forward_record import ForwardRecord
from inspector.recording.forward.line_tracer import COMPILATION_BUDGET, LineTracer
from inspector.recording.forward.mode_hooks import Mode, ModeHooks
from inspector.recording.forward.sequence_ranges import sequence_number
from inspector.recording.forward.thread_nodes import ThreadNodes
from inspector.recording.forward.tracer_watch import TracerWatch
from inspector.tensor_stats import Pending
from inspector.torch_api.compilation import starts_compilation
from inspector.torch_api.modes import unobserved
from inspector.tracing.walk import AutogradNode, Walk

_FAILED = "the forward recorder stopped, internal error: "


class SeenByDynamo(Protocol):
    """Hooks beside those of a ForwardRecorder."""

    def pause(self) -> None:
        """Remove them: a compiled function begins."""

    def resume(self) -> None:
        """Install them again: it has ended."""

    def uninstall(self) -> None:
        """Remove them for good."""


class ForwardRecorder:
    """Fills a ForwardRecord from `start` to `stop`, for the calling thread and threads that start later.

    mode: "light" for modules and lines; "full" also for every operation's value, name, expression, cuts and
    in-place writes, in the thread that calls `start`. `hooks` switches between the two.
    beside: what else Dynamo would see.

    No method raises, whatever the script does. An internal error stops the recorder and is noted as a remark.
    Sequence numbers are those of the calling thread.
    """

    def __init__(self, mode: Mode, record: ForwardRecord, beside: SeenByDynamo | None = None) -> None:
        self.record = record
        self._beside = beside
        self._lines = LineTracer(record.users, record.places, self._fail)
        self._compile_watch: compile_watch.CompileWatch | None = None
        self.hooks = ModeHooks(mode, record, self._lines, self._check_compiled)
        self._tracer_watch: TracerWatch | None = None

    def start(self) -> None:
        """Install what the mode needs. Idempotent."""
        if self._compile_watch is not None:
            return
        _RUNNING.add(self)
        self._compile_watch = compile_watch.CompileWatch(self)
        self.record.thread = threading.get_ident()
        self._lines.state.on_first_call = self._on_first_call
        self._lines.start()
        self._compile_watch.start()
        self._tracer_watch = TracerWatch(self.without_hooks)
        self._tracer_watch.start()
        if self.record.modules.compiled_from is None:
            self.hooks.start()

    def stop(self) -> None:
        """Remove all hooks of the recorder; others stay in order. Idempotent."""
        self.hooks.drop_stale_mode()
        if self._compile_watch is None:
            return
        self.hooks.stop()
        self._compile_watch.stop()
        if self._tracer_watch is not None:
            self._tracer_watch.stop()
        self._lines.stop()
        self._compile_watch = None
        _RUNNING.discard(self)
        places = self.record.places
        if places.lines_unknown:
            self.record.add_remark(f"some source lines are unknown: {places.lines_unknown}")
        if self.hooks.mode == "full" and places.lines.others:
            self.record.add_remark("values and names of tensors created in other threads are unknown")

    @property
    def has_met_compiled(self) -> bool:
        """Whether a compiled function has run."""
        return len(self.record.modules.compiled) > 0

    def resume_lines(self) -> None:
        """Resume line tracing in the calling thread if it was suspended over pure Python.

        Call this where a step starts, such as at the end of a backward call.
        """
        self.hooks.drop_stale_mode()
        self._lines.resume(sys._getframe(1))

    @contextlib.contextmanager
    def lines_paused(self) -> Iterator[None]:
        """Exclude the inspector's work from line tracing, which would make it three times slower."""
        paused = self._lines.pause()
        try:
            yield
        finally:
            self._lines.unpause(paused, None)

    def nodes(self) -> ThreadNodes:
        """The Nodes of the calling thread, as recorded until now."""
        self._lines.flush()
        return ThreadNodes(self.record)

    # Backward calls

    def backward_begins(self, index: int, frame: FrameType | None, roots: Sequence[Any]) -> None:
        """The engine is about to run: Nodes that it creates (create_graph), or that hooks or re-run checkpoints
        create, do not belong to the forward.

        index: of the call. frame: its caller. roots: its tensors.
        """
        self._lines.flush()
        record, results = self.record, self.hooks.results
        user = record.users.innermost(frame)
        place = None if user is None else (user.f_code, user.f_lasti)
        results.backward_begins(roots)
        is_recorders = record.is_recorders_thread()
        if user is not None and user is frame and is_recorders and self.hooks.mode == "full":
            results.name_root(roots, user)
        record.places.backwards.begin(index, place, is_recorders_thread=is_recorders)

    def runs_node(self, names: Sequence[str]) -> Callable[[int], None]:
        """A function to call before a Node of a call under create_graph runs, with its position, in the recorder's
        thread. names: of the Nodes."""
        marks = self.record.places.backwards

        def runs(position: int) -> None:
            if self.record.is_recorders_thread():
                marks.runs({"function": f"n{position}", "name": names[position]})

        return runs

    def gradients_flow(self, gradients: Sequence[torch.Tensor | None], values: Sequence[Pending]) -> None:
        """Gradients flow in a call under create_graph: outputs of Nodes that it creates, unseen by the script."""
        if not self.record.is_recorders_thread():
            return
        outputs = self.record.outputs
        with unobserved():
            for gradient, value in zip(gradients, values, strict=True):
                # On a device, the numbers of new Nodes are known only after the call.
                key = None if gradient is None or not gradient.is_cpu else outputs.keys.of(gradient)
                if key is not None:
                    outputs.add_inner(key, value)

    def backward_ends(self) -> None:
        """The engine has run: new Nodes belong to the forward again."""
        self._lines.flush()
        self.record.places.backwards.end()

    def note_created_graph(self, result: Walk, known: Set[AutogradNode]) -> None:
        """The call that has ended created a graph on a device.

        result: the graph of its result. known: Nodes from before the call.
        """
        if self.record.is_recorders_thread():
            nodes = self.record.outputs.keys.engine_threads
            self.record.places.backwards.note_created_graph(nodes, result, known)

    # torch.compile, and internal errors

    def _on_first_call(self, code: CodeType) -> None:
        if starts_compilation(code) and self._compile_watch is not None:
            self._compile_watch.check()

    def _check_compiled(self) -> None:
        if self._compile_watch is not None:
            self._compile_watch.check_prepared()

    def enter_compiled(self) -> bool:
        """A compiled function begins: remove everything that Dynamo would see; line tracing stays."""
        try:
            return self._enter_compiled()
        except Exception as error:
            self._fail(error)
            return False

    def leave_compiled(self) -> None:
        """A compiled function has ended."""
        try:
            self._leave_compiled()
        except Exception as error:
            self._fail(error)

    def _enter_compiled(self) -> bool:
        modules = self.record.modules
        if modules.compiled_from is not None:
            return False
        if not self.record.is_recorders_thread() or modules.ranges.others:
            self.compiles_unseen()  # global hooks may not be removed while another thread calls modules
            return False
        if not self.hooks.pause():
            return False
        self._lines.state.hide_from_dynamo = True
        if not len(modules.compiled):
            self.record.add_remark(f"modules and values in compiled functions are unknown: {compile_watch.REASON}")
        modules.compiled.mark(sequence_number(), True)
        if self._beside is not None:
            self._beside.pause()
        return True

    def _leave_compiled(self) -> None:
        modules = self.record.modules
        if modules.compiled.current and modules.compiled_from is None and self.record.is_recorders_thread():
            modules.compiled.mark(sequence_number(), None)
            self.hooks.resume()
            if self._beside is not None and self._compile_watch is not None:
                self._beside.resume()

    def compiles_unseen(self) -> None:
        """Something may be compiled at any time: remove everything that Dynamo would see; line tracing stays."""
        modules = self.record.modules
        if modules.compiled_from is not None:
            return
        modules.compiled_from = sequence_number() if self.record.is_recorders_thread() else 0
        self._lines.state.hide_from_dynamo = True
        self.record.add_remark(f"modules, values and names are no longer recorded: {compile_watch.REASON}")
        self.hooks.stop_for_compilation()
        if self._beside is not None:
            self._beside.uninstall()

    def compilation_ended(self) -> None:
        """After a compilation, during which line tracing was suspended."""
        self._lines.resume(sys._getframe(1), COMPILATION_BUDGET)

    @contextlib.contextmanager
    def without_hooks(self) -> Iterator[None]:
        """While it is open, torch traces the script in the calling thread and meets no hook."""
        with self.lines_paused(), self.hooks.removed():
            yield

    def _fail(self, error: Exception) -> None:
        """After an internal error: stop, and let the script go on."""
        if not any(remark.startswith(_FAILED) for remark in self.record.remarks):
            first_line = (str(error).splitlines() or [""])[0]
            self.record.add_remark(f"{_FAILED}{type(error).__name__}: {first_line}")
            with contextlib.suppress(Exception):
                self.stop()


_RUNNING: weakref.WeakSet[ForwardRecorder] = weakref.WeakSet()


def _stop_in_child() -> None:
    """A forked process (a worker of a DataLoader) inherits the trace function, the hooks and the mode."""
    for recorder in tuple(_RUNNING):
        recorder.stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stop_in_child)
