"""Record the forward: the line, module and source text that created each Node, and its outputs."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from types import CodeType, FrameType, ModuleType
from typing import Any, Literal

import torch
from torch import nn

from inspector.graph.row_types import Source
from inspector.graph.values import Unknown, unknown
from inspector.recording.forward import compile_watch
from inspector.recording.forward.backward_marks import BackwardMarks
from inspector.recording.forward.custom_functions import AppliedFunctions
from inspector.recording.forward.engine_thread_nodes import call_of
from inspector.recording.forward.function_mode import OperationMode, not_ours
from inspector.recording.forward.line_tracer import COMPILATION_BUDGET, LineTracer
from inspector.recording.forward.module_hooks import ModuleCall, ModulePaths
from inspector.recording.forward.modules_without_graph import ModulesWithoutGraph
from inspector.recording.forward.outputs import OutputRow, Outputs
from inspector.recording.forward.sequence_ranges import sequence_number
from inspector.recording.training.leaf_registry import LeafRegistry
from inspector.tensor_stats import Batch, Pending
from inspector.torch_api.compilation import is_entrance, was_compiled
from inspector.torch_api.frames import beyond_apply, is_forward, outside_of_modules
from inspector.torch_api.modes import without_functions
from inspector.torch_api.nodes import sequence_number_of
from inspector.tracing.walk import AutogradNode, Walk
from inspector.user_code.paths import UserFiles
from inspector.user_code.source_expressions import SourceExpressions

Mode = Literal["full", "light"]

MOST_OUTPUTS = 20_000
MOST_SECONDS = 30.0
"""Limits of a full recording, which then continues in light mode. The time starts at the first output."""

TWO_THREADS = "two threads created Nodes with this sequence number"
_MADE_IN_BACKWARD = "it was created during a backward that was not called from user code"


class ForwardRecorder:
    """Records a forward while the user's script runs it.

    mode: "light" for modules and lines; "full" also for every operation's value, name, expression, cuts and
    in-place writes, in the thread that calls `start`.
    batch: where values are read; `OutputRow.value` is filled in when the batch is read.
    files: recognises user code.

    No method raises, whatever the script does. An internal error turns the recorder off and is noted in `unknown`.
    Sequence numbers are those of the calling thread.
    """

    def __init__(self, mode: Mode, batch: Batch, files: UserFiles) -> None:
        self.mode: Mode
        self.unknown: list[str] = []
        """Why something was not seen, as sentences."""
        self.on_compile: Callable[[], None] | None = None
        """Called when everything that Dynamo would see has to come off."""
        self._sources = SourceExpressions(files)
        self._lines = LineTracer(files, self._fail)
        self._modules = ModulePaths(self._on_module_enter, self._on_module_exit, self._lines)
        self._set_mode(mode)
        self._outputs = Outputs(batch, self._sources)
        self._applied = AppliedFunctions(self._outputs)
        self._operations = OperationMode(self._outputs, self._sources, self._lines, self._before, self._fail)
        self._without_graph = ModulesWithoutGraph(self._lines.is_users)
        self._compile_watch: compile_watch.CompileWatch | None = None
        self._backwards = BackwardMarks()
        self._thread = 0
        self._until: float | None = None
        self._most = MOST_OUTPUTS
        self._compiled_from: int | None = None

    # Installing and removing

    def start(self) -> None:
        """Install what the mode needs, for the calling thread and threads that start later. Idempotent."""
        if self._compile_watch is not None:
            return
        _RUNNING.add(self)
        self._compile_watch = compile_watch.CompileWatch(self._on_compilation_start, self._on_compilation_end)
        self._thread = threading.get_ident()
        self._lines.called = self._on_call
        self._lines.start()
        self._compile_watch.start()
        if self._compiled_from is not None:
            return
        self._modules.start()
        if self.mode == "full":
            self._start_operations()

    def _start_operations(self) -> None:
        self._lines.returned = self._on_return
        try:
            self._operations.start()
        except Exception as error:
            self._fail(error)

    def stop(self) -> None:
        """Remove all hooks of the recorder; others stay in order. Idempotent."""
        self._drop_stale_mode()
        if self._compile_watch is None:
            return
        self._operations.stop()
        self._modules.stop()
        self._compile_watch.stop()
        self._lines.stop()
        self._compile_watch = None
        _RUNNING.discard(self)
        if self._lines.unknown:
            self._add_remark(f"some source lines are unknown: {self._lines.unknown}")
        if self.mode == "full" and self._lines.ranges.others:
            self._add_remark("values and names of tensors created in other threads are unknown")

    def switch_to_light(self, reason: str) -> None:
        """Continue in light mode. What was recorded stays.

        reason: why, for `unknown`.
        """
        if self.mode == "full":
            self._set_mode("light")
            self._lines.returned = None
            self._operations.stop()
            self._lines.pending_callback = self._drop_stale_mode
            self._add_remark(f"values and names are not recorded any more: {reason}")

    def switch_to_full(self) -> None:
        """Continue in full mode, unless `torch.compile` or an internal error forbids it."""
        if self.mode == "full" or self._compiled_from is not None:
            return
        self._set_mode("full")
        self._until, self._most = None, len(self._outputs) + MOST_OUTPUTS
        if self._compile_watch is not None:
            self._lines.pending_callback = None
            self._start_operations()

    def resume_lines(self) -> None:
        """Resume line tracing in the calling thread if it was suspended over pure Python.

        Call this where a step starts, such as at the end of a backward call.
        """
        self._drop_stale_mode()
        self._lines.resume(sys._getframe(1))

    @contextlib.contextmanager
    def lines_paused(self) -> Iterator[None]:
        """Exclude the inspector's work from line tracing, which would make it three times slower."""
        paused = self._lines.pause()
        try:
            yield
        finally:
            self._lines.unpause(paused, None)

    def backward_begins(self, index: int, frame: FrameType | None, roots: Sequence[Any]) -> None:
        """Before the engine runs: Nodes it creates (create_graph), or that hooks or re-run checkpoints create, do
        not belong to the forward. index: of the call; frame: its caller; on which tensors."""
        self._lines.flush()
        user = self._lines.user_frame(frame)
        place = None if user is None else (user.f_code, user.f_lasti)
        if self._applied:
            with without_functions():
                self._applied.settle(roots)
                self._applied.clear()
        if user is not None and user is frame and len(roots) == 1 and _is_tensor(roots[0]):
            self._name_root(roots[0], user)
        self._backwards.begin(index, place, is_here=self._is_here())

    def backward_ends(self) -> None:
        """After the engine has run: new Nodes belong to the forward again."""
        self._lines.flush()
        self._backwards.end()

    def note_created_graph(self, result: Walk, known: Set[AutogradNode]) -> None:
        """The call that has ended gave what has a graph of its own, on a device: `result`.

        known: Nodes from before the call.
        """
        if self._is_here():
            self._backwards.note_created_graph(self._outputs.engine_threads, result, known)

    def renumber_engine_nodes(self, walk: Walk) -> None:
        """Give unique numbers to the Nodes of a graph, before any other query."""
        if self._is_here():
            self._outputs.engine_threads.renumber_engine_nodes(walk)

    def sequence_number_of(self, node: AutogradNode) -> int:
        """The number of one Node, as set by `renumber_engine_nodes`."""
        return (
            self._outputs.engine_threads.sequence_number_of(node) if self._is_here() else sequence_number_of(node)
        )

    def thread_counter_at(self, sequence_nr: int) -> int:
        """The counter of the script's thread when the Node with this number was created."""
        return self._outputs.engine_threads.thread_counter_at(sequence_nr)

    # What was recorded

    def made_in(self, sequence_nr: int) -> int | None:
        """The index of the backward call that made the Node with this number; None for one of a forward, and
        where two threads made one with this number."""
        made = self._backwards.at(sequence_nr)
        return None if made is None or self._lines.ranges.elsewhere(sequence_nr) else made.index

    def source(self, sequence_nr: int) -> Source | Unknown:
        """The user's file, line and statement that created the Node with this number, or unknown. For a Node
        created during backward, the statement that called backward."""
        self._lines.flush()
        if self._lines.ranges.elsewhere(sequence_nr):
            return unknown(TWO_THREADS)
        made = self._backwards.at(sequence_nr)
        if made is not None:
            return unknown(_MADE_IN_BACKWARD) if made.place is None else self._sources.source(made.place)
        place = self._operations.ranges.at(sequence_nr) if self._is_here() else None
        place = place or self._lines.ranges.at(sequence_nr)
        if place is None:
            return unknown(self._lines.unknown or "no line of user code was running or being traced")
        return self._sources.source(place)

    def module(self, sequence_nr: int) -> str | Unknown | None:
        """The path of the module that created the Node: `blocks.3.attn.q_proj`, relative to the outermost module,
        "" for that module itself, None outside of modules; or unknown."""
        call = self.module_call(sequence_nr)
        if isinstance(call, dict):
            return call
        return call.path if call is not None else None

    def module_call(self, sequence_nr: int) -> ModuleCall | Unknown | None:
        """Path, class and outermost module (an index in `roots`) of the module that created the Node."""
        if self._compiled_from is not None and (not self._is_here() or sequence_nr >= self._compiled_from):
            return unknown(compile_watch.REASON)
        if self._modules.ranges.elsewhere(sequence_nr):
            return unknown(TWO_THREADS)
        return None if call_of(sequence_nr) is not None else self._modules.ranges.at(sequence_nr)

    def output(self, sequence_nr: int, output_nr: int) -> OutputRow | None:
        """The record of one output of a Node; None if it was not seen."""
        if not self._is_here() or self._lines.ranges.elsewhere(sequence_nr):
            return None
        return self._outputs.get((sequence_nr, output_nr))

    def made_at(self, tensor: torch.Tensor) -> Source | None:
        """The user's line that created a non-leaf tensor; None if not seen."""
        return self._outputs.made_at(tensor)

    def leaf_source(self, leaf: torch.Tensor) -> Source | None:
        """The user's line that created a leaf; None if not seen (light recordings see none)."""
        return self._outputs.leaf_source(leaf)

    def made(self, tensor: torch.Tensor) -> Pending | None:
        """The content of a tensor without a gradient, with shared memory, at its last use; else None."""
        return self._outputs.made(tensor) if self._is_here() else None

    @property
    def array_writes(self) -> list[Source]:
        """Where the script writes to arrays that share memory with tensors, according to its source."""
        return self._sources.array_writes()

    def without_graph(self, module: nn.Module) -> Source | None:
        """The user's line that called a module first, if it was never called while grad was enabled."""
        place = self._without_graph.place(module)
        return None if place is None else self._sources.source(place)

    @property
    def roots(self) -> list[weakref.ref[nn.Module]]:
        """The outermost modules that were called, in the order of their first calls."""
        return self._modules.roots

    @property
    def leaves(self) -> LeafRegistry:
        """The leaves to which cuts and writes refer by number."""
        return self._operations.flow.leaves

    def cut_ancestry(self, tensors: list[torch.Tensor]) -> frozenset[int]:
        """Indices in `cuts` of the cuts that the data of tensors without a gradient went through."""
        return self._operations.flow.cut_ancestry(tensors, [])

    @property
    def cuts(self) -> list[dict[str, Any]]:
        """Places where a tensor that needs a gradient gave one that needs none.

        Each: kind (detach, data, item, numpy, tolist, tensor, comparison, integer, no_grad, inference_mode),
        operation, source, direct (the user's code called it itself), from (sequence_nr, output_nr; None if not
        known), leaf (a number in `leaves`, or None), name (the text of the tensor), assigned (what the result is
        assigned to), code, count, leaves (numbers of all under it, or None), region (where gradients went off),
        number (the sequence number at its first time since `mark_cuts_reported`).
        """
        return self._operations.flow.cuts(self._sources)

    def mark_cuts_reported(self) -> None:
        """The cuts so far were reported: `number` of what is cut again is that of the next time."""
        self._operations.flow.mark_reported()

    @property
    def writes(self) -> list[dict[str, Any]]:
        """In-place writes: operation, source, direct, to (sequence_nr, output_nr; which tensor it was before),
        leaf, name, code, memory (where the elements lie, while they live), number (that the next Node would get),
        before and after (version).
        """
        return self._operations.flow.writes(self._sources)

    @property
    def reads(self) -> list[dict[str, Any]]:
        """Where the script read the grad of a tensor that is no leaf and does not retain it: operation, source,
        of (sequence_nr, output_nr), name, code.
        """
        return self._operations.flow.reads(self._sources)

    # What the parts report

    def _before(self, given: Iterable[Any]) -> None:
        """An operation is about to run with these arguments."""
        if self._applied:
            self._applied.settle(given)
        count = len(self._outputs)
        if count == 0:  # tensors of a data set, say, which may take their time
            return
        if self._until is None:
            self._until = time.monotonic() + MOST_SECONDS
        if count >= self._most:
            self.switch_to_light(f"more than {MOST_OUTPUTS} operations")
        elif time.monotonic() > self._until:
            self.switch_to_light(f"more than {MOST_SECONDS:.0f} seconds")

    def _on_module_enter(self, module: nn.Module, outermost: bool) -> None:
        """A module's forward starts."""
        if outermost:
            self._drop_stale_mode()
            if self._compile_watch is not None and was_compiled():
                self._compile_watch.check()
        if self.mode == "full" and self._is_here():
            self._without_graph.note(module)

    def _on_module_exit(self, output: Any) -> None:
        """A module's forward has ended."""
        if self.mode != "full" or not self._is_here():
            return
        frame = outside_of_modules(sys._getframe(2))
        if frame is not None:
            self._name_results(frame, output, "module")

    def _on_return(self, frame: FrameType, value: Any) -> None:
        """A user's function, or the forward of a custom Function, returns."""
        if not self._is_here() or frame.f_back is None:
            return
        if is_forward(frame.f_code):
            self._forward_returned(frame, value)
        else:
            self._name_results(frame.f_back, value, "call")

    def _forward_returned(self, frame: FrameType, value: Any) -> None:
        """What it returned gets its Node and its name later, see `AppliedFunctions`."""
        caller = beyond_apply(frame.f_back)
        results = [item for item in (value if isinstance(value, tuple) else (value,)) if _is_tensor(item)]
        if caller is None or not results or not self._lines.is_users(caller.f_code) or not_ours():
            return
        place = (caller.f_code, caller.f_lasti)
        expression = self._sources.expression(place)
        if expression is not None:
            self._applied.returned(frame.f_code, results, expression, place)
            self._lines.pending_callback = self._settle

    def _settle(self) -> None:
        """See `AppliedFunctions.settle`: at the next events, until all have their names."""
        with without_functions():
            self._applied.settle()
        if self._applied and self._lines.pending_callback is None:
            self._lines.pending_callback = self._settle

    def _name_results(self, caller: FrameType, value: Any, operation: str) -> None:
        """The results of a call get the names and the text that the user's code gives them, if it called."""
        if self._applied:
            self._settle()
        results = [item for item in (value if isinstance(value, (tuple, list)) else (value,)) if _is_tensor(item)]
        if not results or not self._lines.is_users(caller.f_code) or not_ours():
            return
        place = (caller.f_code, caller.f_lasti)
        expression = self._sources.expression(place)
        if expression is not None:
            with without_functions():
                self._outputs.call(operation, results, expression, place)

    def _name_root(self, root: torch.Tensor, frame: FrameType) -> None:
        """`scaler.scale(loss).backward()`: a root that a library has computed is called as it stands there."""
        expression = self._sources.expression((frame.f_code, frame.f_lasti)) if self.mode == "full" else None
        if expression is None or expression.callee != "backward" or not expression.operand or not self._is_here():
            return
        first = expression.operand.partition(".")[0]
        if not isinstance(frame.f_globals.get(first), ModuleType):  # else it is `torch.autograd.backward(loss)`
            with without_functions():
                self._outputs.set_name(root, expression.operand)

    def _on_call(self, code: CodeType) -> None:
        if is_entrance(code) and self._compile_watch is not None:
            self._compile_watch.check()

    def _on_compilation_start(self) -> None:
        """Before a compilation: remove everything that Dynamo would see; line tracing stays."""
        if self._compiled_from is not None:
            return
        self._compiled_from = sequence_number() if self._is_here() else 0
        self._lines.hide_from_dynamo = True
        self._add_remark(f"modules, values and names are not recorded any more: {compile_watch.REASON}")
        self._set_mode("light")
        self._lines.returned = None
        self._operations.stop()
        self._modules.stop()
        if self.on_compile is not None:
            self.on_compile()

    def _on_compilation_end(self) -> None:
        """After a compilation, during which line tracing was suspended."""
        self._lines.resume(sys._getframe(1), COMPILATION_BUDGET)

    def _drop_stale_mode(self) -> None:
        """Remove the operations from the mode stack if torch has put them back after their end."""
        if self._is_here() and self._operations.is_stale_on_stack:
            self._operations._remove_from_stack()

    def _is_here(self) -> bool:
        return threading.get_ident() == self._thread

    def _set_mode(self, mode: Mode) -> None:
        self.mode = mode
        self._modules.tells_all = mode == "full"

    def _add_remark(self, reason: str) -> None:
        if reason not in self.unknown:
            self.unknown.append(reason)

    def _fail(self, error: Exception) -> None:
        """After an internal error: stop, and let the script go on."""
        if not any(reason.startswith(_FAILED) for reason in self.unknown):
            first_line = (str(error).splitlines() or [""])[0]
            self._add_remark(f"{_FAILED}{type(error).__name__}: {first_line}")
            with contextlib.suppress(Exception):
                self.stop()


_FAILED = "the forward recorder stopped, internal error: "


def _is_tensor(value: Any) -> bool:
    return issubclass(type(value), torch.Tensor)  # isinstance asks `__class__`, which may be the user's code


_RUNNING: weakref.WeakSet[ForwardRecorder] = weakref.WeakSet()


def _stop_in_child() -> None:
    """A forked process (a worker of a DataLoader) inherits the trace function, the hooks and the mode."""
    for recorder in tuple(_RUNNING):
        recorder.stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stop_in_child)
