"""The trace functions of one thread, see `line_tracer`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeAlias

import torch
from msgspec import Struct

from inspector.recording.forward.node_places import NodePlaces
from inspector.recording.forward.sequence_ranges import SequenceRanges, sequence_number
from inspector.recording.forward.user_frames import UserFrames
from inspector.torch_api.compilation import without_dynamo
from inspector.torch_api.frames import PARAMETER, is_forward
from inspector.user_code.source_expressions import Place

Trace: TypeAlias = Callable[[FrameType, str, Any], Any]
Returned: TypeAlias = Callable[[FrameType, Any], None]

FOREIGN_TRACER = "another tracer (a debugger, coverage) is in use"

IDLE_BUDGET = 1_000
"""Number of lines and calls without a new Node after which tracing of a thread is suspended."""


class TracingState(Struct):
    """What the threads of a `LineTracer` share.

    fail: called with an internal error.
    hide_from_dynamo: whether Dynamo may be evaluating frames.
    on_first_call: called with the code of each function, user code or not, when a thread first calls it.
    on_return: called with frame and value when a user's function, the forward of a custom Function or the
    constructor of `nn.Parameter` returns.
    pending_callback: called once, at the next event.
    """

    users: UserFrames
    places: NodePlaces
    fail: Callable[[Exception], None]
    running: bool = False
    hide_from_dynamo: bool = False
    on_first_call: Callable[[CodeType], None] | None = None
    on_return: Returned | None = None
    pending_callback: Callable[[], None] | None = None


class LineMarks:
    """Attributes the Nodes of one thread to its current line."""

    __slots__ = ("number", "place", "ranges")

    def __init__(self, ranges: SequenceRanges[Place]) -> None:
        self.ranges = ranges
        self.number = sequence_number()
        self.place: Place | None = None

    def flush(self) -> None:
        """Attribute the Nodes created since the last call to `place`."""
        number = sequence_number()
        if number != self.number:
            self.ranges.mark(self.number, self.place)
            self.number = number


class ThreadLineTracer:
    """The trace functions of one thread.

    call, line, applied: the bound methods, created once so that they can be compared by identity.
    """

    def __init__(self, state: TracingState) -> None:
        self._state = state
        self._marks = LineMarks(state.places.lines.here)
        self._events_left = IDLE_BUDGET
        self._number_then = self._marks.number
        self._decided: dict[int, tuple[CodeType, Trace | None]] = {}
        self.call: Trace = self._call
        self.line: Trace = self._line
        self.applied: Trace = self._applied

    def resume(self, frame: FrameType | None, idle_budget: int = IDLE_BUDGET) -> None:
        """See `LineTracer.resume`."""
        tracer = sys.gettrace()
        if tracer is not None and tracer is not self.call:
            self._state.places.lines_unknown = FOREIGN_TRACER
            return
        self._events_left = idle_budget
        self.flush()  # Nodes created while suspended belong to no line
        users = self._state.users
        user = users.innermost(frame)
        self._marks.place = None if user is None else (user.f_code, user.f_lasti)
        while user is not None and user.f_trace is None:
            user.f_trace = self.line
            user = users.innermost(user.f_back)
        if tracer is None:
            sys.settrace(self.call)

    def suspend(self) -> None:
        """Stop tracing this thread, if the trace function is the inspector's."""
        self._marks.place = None
        if sys.gettrace() is self.call:
            sys.settrace(None)

    def flush(self) -> None:
        """See `LineTracer.flush`."""
        self._marks.flush()

    # After a compilation Dynamo looks at every frame, also at those of a trace function and of what it calls.

    def _call(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        self._events_left -= 1
        decided = self._decided.get(id(frame.f_code))
        if decided is not None and self._events_left >= 0:  # the most frequent event, and most of the cost
            return decided[1]
        if self._state.hide_from_dynamo:
            return without_dynamo(self._on_call, frame, event, argument)  # type: ignore[no-any-return]
        return self._on_call(frame, event, argument)

    def _line(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        if self._state.hide_from_dynamo:
            return without_dynamo(self._on_line, frame, event, argument)  # type: ignore[no-any-return]
        return self._on_line(frame, event, argument)

    def _applied(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        if self._state.hide_from_dynamo:
            return without_dynamo(self._on_applied, frame, event, argument)  # type: ignore[no-any-return]
        return self._on_applied(frame, event, argument)

    def _on_call(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        """A function is called: trace its lines if it belongs to the user."""
        try:
            if self._events_left < 0 and self._suspend_if_idle():
                return None
            decided = self._decided.get(id(frame.f_code)) or self._decide(frame.f_code)
            return decided[1]
        except Exception as error:
            self._state.fail(error)
            return None

    def _on_line(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        """A line of user code starts, or a user's function returns."""
        try:
            marks = self._marks
            if sequence_number() != marks.number:
                marks.flush()
            if sys.gettrace() is not self.call:
                self._yield_to_other_tracer(frame)
                return None
            if event == "line":
                marks.place = (frame.f_code, frame.f_lasti)
            elif event == "return":
                self._return(frame, argument)
            self._events_left -= 1
            if self._events_left < 0 and self._suspend_if_idle():
                return None
            state = self._state
            if state.pending_callback is not None:
                callback, state.pending_callback = state.pending_callback, None
                callback()
            return self.line
        except Exception as error:
            self._state.fail(error)
            return None

    def _on_applied(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        """Code of a library is running of which only the return value matters: the forward of a custom Function,
        or the constructor of `nn.Parameter`."""
        if event == "return" and self._state.on_return is not None:
            try:
                self._state.on_return(frame, argument)
            except Exception as error:
                self._state.fail(error)
        return self.applied

    def _yield_to_other_tracer(self, frame: FrameType) -> None:
        """Another trace function was set, or tracing is suspended: new functions are not seen."""
        frame.f_trace = None
        self._marks.place = None
        if sys.gettrace() is not None:
            self._state.places.lines_unknown = FOREIGN_TRACER

    def _return(self, frame: FrameType, value: Any) -> None:
        caller = self._state.users.innermost(frame.f_back)
        self._marks.place = None if caller is None else (caller.f_code, caller.f_lasti)
        if self._state.on_return is not None and isinstance(value, (torch.Tensor, tuple)):
            self._state.on_return(frame, value)

    def _decide(self, code: CodeType) -> tuple[CodeType, Trace | None]:
        state = self._state
        if state.on_first_call is not None:
            state.on_first_call(code)
        trace: Trace | None = self.line if state.users.is_users(code) else None
        if trace is None and (code is PARAMETER or is_forward(code)):
            trace = self.applied
        self._decided[id(code)] = (code, trace)
        return code, trace

    def _suspend_if_idle(self) -> bool:
        """The budget is used up: suspend tracing if no event created a Node, or yield to another tracer."""
        self._events_left = IDLE_BUDGET
        number = sequence_number()
        if self._state.running and number != self._number_then:
            self._number_then = number
            return False
        self.flush()
        self.suspend()
        return True
