"""See single operations: a TorchFunctionMode that receives the calls of one thread.

It sits at the bottom of the mode stack. A mode of the user that exits by popping the top (as
`TorchFunctionMode.__exit__` does) therefore never removes this one by mistake, and this one sees the calls that
actually run.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from torch.overrides import TorchFunctionMode

from inspector.recording.forward.inner_operations import NO_WATCH, InnerOperations
from inspector.recording.forward.line_tracer import LineTracer
from inspector.recording.forward.operation_arguments import IN_C
from inspector.recording.forward.operation_recorder import OperationRecorder
from inspector.recording.forward.outputs import Outputs
from inspector.recording.forward.plain_reads import GRADS, READING, READS, is_optimizers
from inspector.recording.forward.sequence_ranges import sequence_number
from inspector.tensor_stats.plain_tensor import ORDINARY
from inspector.torch_api.frames import function_caller
from inspector.torch_api.modes import FastPaths, modes_on_stack, push_at_bottom, remove_mode, remove_mode_after
from inspector.util.stand_in_frames import LEVELS, call_as, hide_call


class OperationMode(TorchFunctionMode):
    """Passes the operations of one thread to an OperationRecorder, before and after each.

    lines: paused while this works; not traced inside functions in C.
    """

    def __init__(self, operations: OperationRecorder, outputs: Outputs, lines: LineTracer) -> None:
        super().__init__()
        self._operations, self._lines = operations, lines
        self._inner = InnerOperations(self, outputs, lines.state.fail)
        self._fast_paths = FastPaths(self)
        self._recording = False
        self._handling = 0

    # On and off the stack

    def start(self) -> None:
        """Put the mode on the calling thread's stack, below all modes except the default device."""
        self._recording = True
        self._fast_paths.open()
        self._push_at_bottom()

    def stop(self) -> None:
        """Stop recording and leave the stack, now or when the current operation ends."""
        if not self._recording:
            return
        self._recording = False
        self._fast_paths.close()
        self.remove_from_stack()

    def remove_from_stack(self) -> None:
        """Leave the stack of the calling thread, whatever is above it."""
        remove_mode(self)

    def _push_at_bottom(self) -> None:
        if self._handling:  # torch has popped it and will push it again
            return
        push_at_bottom(self)

    @property
    def is_stale_on_stack(self) -> bool:
        """Whether it is still on the stack although it was stopped."""
        return not self._recording and any(mode is self for mode in modes_on_stack())

    # An operation

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: Any = None
    ) -> Any:
        # Half of all calls end here. It is written out, since each call of a function is an event of its own while
        # lines are traced.
        if (
            type(function) in READING
            and arguments
            and type(arguments[0]) in ORDINARY
            and (function in READS or (function in GRADS and is_optimizers(sys._getframe(1), arguments[0])))
        ):
            return function(*arguments, **options) if options else function(*arguments)
        caller, tracer, options = sys._getframe(1), sys.gettrace(), options or {}
        if was_traced := tracer in self._lines.tracers:  # else every function called here costs an event
            sys.settrace(None)
        try:
            if tracer is None and self._inner.is_inside and self._inner.is_single(function):
                return self._single(function, arguments, options, caller)
            return self._operation(function, arguments, options, caller, tracer if was_traced else None)
        except BaseException as error:
            hide_call(error)
            raise

    def _operation(
        self, function: Any, arguments: tuple[Any, ...], options: dict[str, Any], caller: FrameType, tracer: Any
    ) -> Any:
        """Call a function, and record it if it is an operation. tracer: of lines, where it was in use."""
        was_traced, operation, user = tracer is not None, None, None
        is_inside, number = self._inner.is_inside, sequence_number()
        if self._recording and not is_inside:
            operation, user = self._operations.before(function, arguments, options, caller)
        watch = self._inner.watch(function, arguments, options) if is_inside or operation is not None else NO_WATCH
        is_torchs = was_traced and (watch is not NO_WATCH or type(function) in IN_C)
        stays_off = is_torchs and (user is None or user.f_trace is not None)
        if not stays_off:
            self._lines.unpause(was_traced, user)
        self._handling += 1
        called_by, levels = function_caller(caller), 1 if type(function) in IN_C else LEVELS
        try:
            with watch:
                result = call_as(called_by, function, arguments, options, levels)
        except BaseException as error:
            hide_call(error)
            if stays_off and self._lines.state.running:
                sys.settrace(tracer)
            raise
        finally:
            self._leave(caller)
        if not stays_off and (was_traced := (tracer := sys.gettrace()) in self._lines.tracers):
            sys.settrace(None)
        watch.returned(result)
        if operation is not None:
            self._operations.after(operation, arguments, options, result, caller)
        elif is_inside:
            self._inner.note(number, (*arguments, *options.values()), result)
        if was_traced and self._lines.state.running:
            sys.settrace(tracer)
        return result

    def _single(
        self, function: Any, arguments: tuple[Any, ...], options: dict[str, Any], caller: FrameType
    ) -> Any:
        """An operation in the code of a Python function of torch, while no lines are traced."""
        number = sequence_number()
        self._handling += 1
        try:
            result = call_as(function_caller(caller), function, arguments, options, 1)
        except BaseException as error:
            hide_call(error)
            raise
        finally:
            self._leave(caller)
        if sequence_number() != number:
            self._inner.note(number, (*arguments, *options.values()) if options else arguments, result)
        return result

    def _leave(self, caller: FrameType) -> None:
        """An operation has ended: leave the stack if the mode was stopped meanwhile. caller: of the mode."""
        self._handling -= 1
        if not self._recording:
            remove_mode_after(self, caller)
