"""Find the user's line that created each Node, with `sys.settrace`.

The sequence number is read at each line of user code; Nodes created since the last reading belong to the line that
just ran. Dynamo is not affected by a trace function.

While a trace function is set, Python 3.11 runs every instruction slowly, even in frames that are not traced. So in
a thread whose events do not change the sequence number for a while, tracing is suspended (`sys.settrace(None)`)
until `resume` is called by the module hooks, the operations or the engine.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeAlias

import torch

from inspector.recording.forward.sequence_ranges import RangesByThread, SequenceRanges, sequence_number
from inspector.torch_api.compilation import skip_in_dynamo, without_dynamo
from inspector.torch_api.frames import DISPATCHERS, is_forward
from inspector.user_code.paths import UserFiles
from inspector.user_code.source_expressions import Place
from inspector.util.frame_locals import variables_of

Trace: TypeAlias = Callable[[FrameType, str, Any], Any]
Returned: TypeAlias = Callable[[FrameType, Any], None]

FOREIGN_TRACER = "another tracer (a debugger, coverage) is in use"

IDLE_BUDGET = 1_000
"""Number of lines and calls without a new Node after which tracing of a thread is suspended."""

COMPILATION_BUDGET = 500_000
"""The same after a compilation: Dynamo continues for about 100,000 before the compiled frame runs."""


class LineTracer:
    """Traces the user's lines in every thread.

    files: recognises user code.
    fail: called with an internal error; the script never sees it.
    """

    def __init__(self, files: UserFiles, fail: Callable[[Exception], None]) -> None:
        self.ranges: RangesByThread[Place] = RangesByThread()
        self.unknown: str | None = None
        self.running = False
        self.called: Callable[[CodeType], None] | None = None
        """Is told of each function, whoever's, when it is first called in a thread."""
        self.returned: Returned | None = None
        """Is given the frame and the value when a function of the user returns, or a custom Function's forward."""
        self.pending_callback: Callable[[], None] | None = None
        """To be done at the next event."""
        self.hide_from_dynamo = False
        """Whether Dynamo may be looking."""
        self.tracers: set[Any] = set()
        """The trace functions of ours, one for each thread."""
        self.fail = fail
        self._files = files
        self._is_users: dict[int, tuple[CodeType, bool]] = {}
        self._local = threading.local()
        self._enter: Trace = self._new_thread

    def start(self) -> None:
        """Trace the calling thread, the functions it is in, and threads that start later."""
        self.running = True
        skip_in_dynamo(_ThreadTracer._call, _ThreadTracer._line, _ThreadTracer._applied, LineTracer._new_thread)
        self.resume(sys._getframe(1))
        if threading.gettrace() is None:
            threading.settrace(self._enter)

    def stop(self) -> None:
        """Stop tracing. Other threads remove the function at their next call."""
        self.running = False
        if threading.gettrace() is self._enter:
            threading.settrace(None)
        thread = self._thread()
        thread.flush()
        thread.suspend()
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_trace is thread.line or frame.f_trace is thread.applied:
                frame.f_trace = None
                if sys.version_info < (3, 11):  # to trace a function fills its dictionary of locals
                    variables_of(frame)
            frame = frame.f_back

    def resume(self, frame: FrameType | None, idle_budget: int = IDLE_BUDGET) -> None:
        """Resume tracing of the calling thread, in `frame` and the user's functions that called it.

        patience: number of events without a Node after which tracing is suspended again.
        """
        if self.running:
            self._thread().resume(frame, idle_budget)

    def pause(self) -> bool:
        """Stop tracing while the inspector works, which is three times slower under a trace function; returns
        whether it was on."""
        paused = sys.gettrace() is self._thread().call
        if paused:
            sys.settrace(None)
        return paused

    def unpause(self, paused: bool, frame: FrameType | None) -> None:
        """End a pause. If `frame`, of the user, is not traced or tracing of the thread is suspended, it is
        resumed."""
        if paused and self.running:
            sys.settrace(self._thread().call)
        if frame is not None and (not paused or frame.f_trace is None):
            self.resume(frame)

    def flush(self) -> None:
        """Attribute the Nodes created until now to the current line."""
        self._thread().flush()

    def user_frame(self, frame: FrameType | None) -> FrameType | None:
        """The innermost frame of user code, from `frame` up."""
        while frame is not None and not self.is_users(frame.f_code):
            frame = frame.f_back
        return frame

    def is_users(self, code: CodeType) -> bool:
        """Whether a code object belongs to the user."""
        known = self._is_users.get(id(code))
        if known is None:
            users = self._files.is_users(code.co_filename) and code.co_name not in DISPATCHERS
            known = self._is_users[id(code)] = (code, users)
        return known[1]

    def _thread(self) -> _ThreadTracer:
        try:
            thread: _ThreadTracer = self._local.thread
        except AttributeError:
            thread = self._local.thread = _ThreadTracer(self, self.ranges.here)
            self.tracers.add(thread.call)
        return thread

    def _new_thread(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        """The function that `threading` sets as the trace function of a new thread."""
        sys.settrace(None)
        if not self.running:
            return None
        thread = self._thread()
        thread.resume(frame)
        traced: Trace | None = thread.call(frame, event, argument)
        return traced


class _ThreadTracer:
    """The trace functions of one thread.

    call, line, applied: the bound methods, created once so that they can be compared by identity.
    """

    def __init__(self, lines: LineTracer, ranges: SequenceRanges[Place]) -> None:
        self._lines = lines
        self._ranges = ranges
        self._number = sequence_number()
        self._place: Place | None = None
        self._events = 0
        self._number_then = self._number
        self._idle_budget = IDLE_BUDGET
        self._decided: dict[int, tuple[CodeType, Trace | None]] = {}
        self.call: Trace = self._call
        self.line: Trace = self._line
        self.applied: Trace = self._applied

    def resume(self, frame: FrameType | None, idle_budget: int = IDLE_BUDGET) -> None:
        """See `LineTracer.resume`."""
        tracer = sys.gettrace()
        if tracer is not None and tracer is not self.call:
            self._lines.unknown = FOREIGN_TRACER
            return
        self._events, self._idle_budget = 0, idle_budget
        self.flush()  # Nodes created while suspended belong to no line
        user = self._lines.user_frame(frame)
        self._place = None if user is None else (user.f_code, user.f_lasti)
        while user is not None and user.f_trace is None:
            user.f_trace = self.line
            user = self._lines.user_frame(user.f_back)
        if tracer is None:
            sys.settrace(self.call)

    def suspend(self) -> None:
        """Stop tracing this thread, if the trace function is the inspector's."""
        self._place = None
        if sys.gettrace() is self.call:
            sys.settrace(None)

    def flush(self) -> None:
        """See `LineTracer.flush`."""
        number = sequence_number()
        if number != self._number:
            self._ranges.mark(self._number, self._place)
            self._number = number

    # Where something is compiled Dynamo looks at every frame, so at those of a trace function and what it calls.

    def _call(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        self._events += 1
        decided = self._decided.get(id(frame.f_code))
        if decided is not None and self._events <= self._idle_budget:  # most often, and most of our time
            return decided[1]
        if self._lines.hide_from_dynamo:
            return without_dynamo(self._on_call, frame, event, argument)  # type: ignore[no-any-return]
        return self._on_call(frame, event, argument)

    def _line(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        if self._lines.hide_from_dynamo:
            return without_dynamo(self._on_line, frame, event, argument)  # type: ignore[no-any-return]
        return self._on_line(frame, event, argument)

    def _applied(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        if self._lines.hide_from_dynamo:
            return without_dynamo(self._on_applied, frame, event, argument)  # type: ignore[no-any-return]
        return self._on_applied(frame, event, argument)

    def _on_call(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        """A function is called: trace its lines if it belongs to the user."""
        try:
            if self._events > self._idle_budget and self._suspend_if_idle():
                return None
            decided = self._decided.get(id(frame.f_code)) or self._decide(frame.f_code)
            return decided[1]
        except Exception as error:
            self._lines.fail(error)
            return None

    def _on_line(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        """A line of user code starts, or a user's function returns."""
        try:
            number = sequence_number()
            if number != self._number:
                self._ranges.mark(self._number, self._place)
                self._number = number
            if sys.gettrace() is not self.call:
                self._yield_to_other_tracer(frame)
                return None
            if event == "line":
                self._place = (frame.f_code, frame.f_lasti)
            elif event == "return":
                self._return(frame, argument)
            self._events += 1
            if self._events > self._idle_budget and self._suspend_if_idle():
                return None
            if self._lines.pending_callback is not None:
                callback, self._lines.pending_callback = self._lines.pending_callback, None
                callback()
            return self.line
        except Exception as error:
            self._lines.fail(error)
            return None

    def _on_applied(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        """The forward of a library's custom Function is running; only its return value matters."""
        if event == "return" and self._lines.returned is not None:
            try:
                self._lines.returned(frame, argument)
            except Exception as error:
                self._lines.fail(error)
        return self.applied

    def _yield_to_other_tracer(self, frame: FrameType) -> None:
        """Another trace function was set, or tracing is suspended: new functions are not seen."""
        frame.f_trace = None
        self._place = None
        if sys.gettrace() is not None:
            self._lines.unknown = FOREIGN_TRACER

    def _return(self, frame: FrameType, value: Any) -> None:
        caller = self._lines.user_frame(frame.f_back)
        self._place = None if caller is None else (caller.f_code, caller.f_lasti)
        if self._lines.returned is not None and isinstance(value, (torch.Tensor, tuple)):
            self._lines.returned(frame, value)

    def _decide(self, code: CodeType) -> tuple[CodeType, Trace | None]:
        if self._lines.called is not None:
            self._lines.called(code)
        trace: Trace | None = self.line if self._lines.is_users(code) else None
        if trace is None and self._lines.returned is not None and is_forward(code):
            trace = self.applied
        self._decided[id(code)] = (code, trace)
        return code, trace

    def _suspend_if_idle(self) -> bool:
        """The budget is used up: suspend tracing if no event created a Node, or yield to another tracer."""
        self._events, self._idle_budget = 0, IDLE_BUDGET
        number = sequence_number()
        if self._lines.running and number != self._number_then:
            self._number_then = number
            return False
        self.flush()
        self.suspend()
        return True

