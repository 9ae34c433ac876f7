"""The hooks that a recording mode needs on modules and operations."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from torch import nn

from inspector.recording.forward.call_results import CallResults
from inspector.recording.forward.forward_record import ForwardRecord
from inspector.recording.forward.full_mode_limits import FullModeLimits
from inspector.recording.forward.function_mode import OperationMode
from inspector.recording.forward.line_tracer import LineTracer
from inspector.recording.forward.module_hooks import ModuleHooks
from inspector.recording.forward.operation_recorder import OperationRecorder
from inspector.torch_api.frames import module_caller

Mode = Literal["full", "light"]


class ModeHooks:
    """Everything that Dynamo would see: the hooks on modules, and in full mode also those on operations.

    mode: "light" for modules; "full" also for every operation, in the recorder's thread.
    check_compiled: called when an outermost module starts; asks whether the script has compiled something.
    """

    def __init__(
        self, mode: Mode, record: ForwardRecord, lines: LineTracer, check_compiled: Callable[[], None]
    ) -> None:
        self.mode: Mode
        self.results = CallResults(record, lines.state)
        self._record = record
        self._tracing = lines.state
        self._check_compiled = check_compiled
        self._limits = FullModeLimits()
        self._modules = ModuleHooks(record.modules, self._on_module_enter, self._on_module_exit, lines)
        operations = OperationRecorder(record, self._before_operation, lines.state.fail)
        self._operations = OperationMode(operations, record.outputs, lines)
        self._set_mode(mode)

    def start(self) -> None:
        """Install the hooks of the current mode."""
        self._modules.start()
        if self.mode == "full":
            self._start_operations()

    def stop(self) -> None:
        """Remove all hooks."""
        self._operations.stop()
        self._modules.stop()

    def stop_for_compilation(self) -> None:
        """Remove all hooks, and stay in light mode."""
        self._set_mode("light")
        self._tracing.on_return = None
        self.stop()

    def pause(self) -> bool:
        """Remove the hooks that the calling thread meets. Returns False if there are none."""
        if not self._modules.are_installed:
            return False
        self._modules.pause()
        if self._record.is_recorders_thread():
            self._operations.stop()
        return True

    def resume(self) -> None:
        """Install the hooks again after `pause`."""
        if self._tracing.running and self._record.modules.compiled_from is None:
            self._modules.start()
            if self._record.is_recorders_thread() and self.mode == "full":
                self._start_operations()

    @contextlib.contextmanager
    def removed(self) -> Iterator[None]:
        """While it is open, the calling thread meets no hook. Does nothing within another one."""
        if not self.pause():
            yield
            return
        try:
            yield
        finally:
            self.resume()

    def switch_to_light(self, reason: str) -> None:
        """Continue in light mode. What was recorded stays.

        reason: why, for a remark.
        """
        if self.mode == "full":
            self._set_mode("light")
            self._tracing.on_return = None
            self._operations.stop()
            self._tracing.pending_callback = self.drop_stale_mode
            self._record.add_remark(f"values and names are no longer recorded: {reason}")

    def switch_to_full(self) -> None:
        """Continue in full mode, unless `torch.compile` or an internal error forbids it."""
        if self.mode == "full" or self._record.modules.compiled_from is not None:
            return
        self._set_mode("full")
        self._limits.restart(len(self._record.outputs))
        if self._tracing.running and self._modules.are_installed:
            self._tracing.pending_callback = None
            self._start_operations()

    def drop_stale_mode(self) -> None:
        """Remove the function mode from the stack if torch has put it back after it was stopped."""
        if self._record.is_recorders_thread() and self._operations.is_stale_on_stack:
            self._operations.remove_from_stack()

    def _start_operations(self) -> None:
        self._tracing.on_return = self.results.returned
        try:
            self._operations.start()
        except Exception as error:
            self._tracing.fail(error)

    def _set_mode(self, mode: Mode) -> None:
        self.mode = mode
        self._modules.reports_all = mode == "full"

    def _before_operation(self, arguments: Iterable[Any]) -> None:
        self.results.before_operation(arguments)
        reason = self._limits.exceeded(len(self._record.outputs))
        if reason is not None:
            self.switch_to_light(reason)

    def _on_module_enter(self, module: nn.Module, outermost: bool) -> None:
        """A module's forward starts."""
        if outermost:
            self.drop_stale_mode()
            self._check_compiled()
        if self.mode == "full" and self._record.is_recorders_thread():
            self._record.modules.without_graph.note(module)

    def _on_module_exit(self, output: Any) -> None:
        """A module's forward has ended."""
        if self.mode != "full" or not self._record.is_recorders_thread():
            return
        frame = module_caller(sys._getframe(2))
        if frame is not None:
            self.results.name(frame, output, "module")
