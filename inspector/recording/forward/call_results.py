"""Name the results of calls in user code after the statement that makes the call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import FrameType, ModuleType
from typing import Any

import torch

from inspector.recording.forward.custom_functions import AppliedFunctions
from inspector.recording.forward.forward_record import ForwardRecord
from inspector.recording.forward.operation_recorder import is_unrecorded_context
from inspector.recording.forward.thread_line_tracer import TracingState
from inspector.recording.forward.wrapped_parameters import WrappedParameters
from inspector.torch_api.frames import PARAMETER, apply_caller, is_forward
from inspector.torch_api.modes import hidden


class CallResults:
    """Names the results of functions, modules and custom Functions, and the root of a backward call; records
    parameters made of tensors."""

    def __init__(self, record: ForwardRecord, tracing: TracingState) -> None:
        self._record = record
        self._tracing = tracing
        self._applied = AppliedFunctions(record.outputs)
        self._wraps = WrappedParameters(record)

    def before_operation(self, arguments: Iterable[Any]) -> None:
        """An operation is about to use these arguments, which may be results of a custom Function."""
        if self._applied:
            self._applied.name_pending(arguments)

    def returned(self, frame: FrameType, value: Any) -> None:
        """A user's function, the forward of a custom Function or the constructor of `nn.Parameter` returns."""
        if not self._record.is_recorders_thread() or frame.f_back is None:
            return
        if frame.f_code is PARAMETER:
            if not is_unrecorded_context():
                self._wraps.made(frame, value)
        elif is_forward(frame.f_code):
            self._forward_returned(frame, value)
        else:
            self.name(frame.f_back, value, "call")

    def name(self, caller: FrameType, value: Any, operation: str) -> None:
        """Give the results of a call the names and the text of the calling statement, if it is user code."""
        if self._applied:
            self._name_pending()
        results = [item for item in (value if isinstance(value, (tuple, list)) else (value,)) if _is_tensor(item)]
        if not results or not self._record.users.is_users(caller.f_code) or is_unrecorded_context():
            return
        place = (caller.f_code, caller.f_lasti)
        expression = self._record.sources.expression(place)
        if expression is not None:
            with hidden():
                self._record.outputs.name_results(operation, results, expression, place)

    def backward_begins(self, roots: Sequence[Any]) -> None:
        """Backward is about to run: the last moment to name pending results of custom Functions."""
        if self._applied:
            with hidden():
                self._applied.name_pending(roots)
                self._applied.clear()

    def name_root(self, roots: Sequence[Any], frame: FrameType) -> None:
        """Name a root that a library computed after the text of the backward call: `scaler.scale(loss)`.

        frame: of the user, which calls backward.
        """
        if len(roots) != 1 or not _is_tensor(roots[0]):
            return
        expression = self._record.sources.expression((frame.f_code, frame.f_lasti))
        if expression is None or expression.callee != "backward" or not expression.operand:
            return
        first = expression.operand.partition(".")[0]
        if not isinstance(frame.f_globals.get(first), ModuleType):  # else it is `torch.autograd.backward(loss)`
            with hidden():
                self._record.outputs.set_name(roots[0], expression.operand)

    def _forward_returned(self, frame: FrameType, value: Any) -> None:
        """The results get their Node and their name later, see `AppliedFunctions`."""
        caller = apply_caller(frame.f_back)
        results = [item for item in (value if isinstance(value, tuple) else (value,)) if _is_tensor(item)]
        if caller is None or not results or not self._record.users.is_users(caller.f_code):
            return
        if is_unrecorded_context():
            return
        place = (caller.f_code, caller.f_lasti)
        expression = self._record.sources.expression(place)
        if expression is not None:
            self._applied.returned(frame.f_code, results, expression, place)
            self._tracing.pending_callback = self._name_pending

    def _name_pending(self) -> None:
        """Name the results that have a Node by now; repeated at the next events, until all are named."""
        with hidden():
            self._applied.name_pending()
        if self._applied and self._tracing.pending_callback is None:
            self._tracing.pending_callback = self._name_pending


def _is_tensor(value: Any) -> bool:
    return issubclass(type(value), torch.Tensor)  # isinstance asks `__class__`, which may be user code
