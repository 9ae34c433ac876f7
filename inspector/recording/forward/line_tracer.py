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
from types import FrameType
from typing import Any

from inspector.recording.forward.node_places import NodePlaces
from inspector.recording.forward.thread_line_tracer import IDLE_BUDGET, ThreadLineTracer, Trace, TracingState
from inspector.recording.forward.user_frames import UserFrames
from inspector.torch_api.compilation import skip_in_dynamo
from inspector.util.frame_locals import variables_of
from inspector.util.own_tracing import OWN_TRACERS

COMPILATION_BUDGET = 500_000
"""`IDLE_BUDGET` after a compilation: Dynamo continues for about 100,000 events before the compiled frame runs."""


class LineTracer:
    """Traces the user's lines in every thread.

    users, places: see `ForwardRecord`; `places.lines` is filled in.
    fail: called with an internal error; the script never sees it.
    """

    def __init__(self, users: UserFrames, places: NodePlaces, fail: Callable[[Exception], None]) -> None:
        self.state = TracingState(users, places, fail)
        self.tracers: set[Any] = set()
        """The trace functions of this tracer, one for each thread."""
        self._local = threading.local()
        self._enter: Trace = self._new_thread

    def start(self) -> None:
        """Trace the calling thread, the functions it is in, and threads that start later."""
        self.state.running = True
        OWN_TRACERS.update(self.tracers)
        skip_in_dynamo(
            ThreadLineTracer._call, ThreadLineTracer._line, ThreadLineTracer._applied, LineTracer._new_thread
        )
        self.resume(sys._getframe(1))
        if threading.gettrace() is None:
            threading.settrace(self._enter)

    def stop(self) -> None:
        """Stop tracing. Other threads remove the function at their next call."""
        self.state.running = False
        OWN_TRACERS.difference_update(self.tracers)
        if threading.gettrace() is self._enter:
            threading.settrace(None)
        thread = self._thread()
        thread.flush()
        thread.suspend()
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_trace is thread.line or frame.f_trace is thread.applied:
                frame.f_trace = None
                if sys.version_info < (3, 11):  # tracing a function fills its dictionary of locals
                    variables_of(frame)
            frame = frame.f_back

    def resume(self, frame: FrameType | None, idle_budget: int = IDLE_BUDGET) -> None:
        """Resume tracing of the calling thread, in `frame` and the user's functions that called it.

        idle_budget: number of events without a new Node after which tracing is suspended again.
        """
        if self.state.running:
            self._thread().resume(frame, idle_budget)

    def pause(self) -> bool:
        """Stop tracing while the inspector works, which is three times slower under a trace function; returns
        whether it was on."""
        paused = sys.gettrace() is self._thread().call
        if paused:
            sys.settrace(None)
        return paused

    def unpause(self, paused: bool, frame: FrameType | None) -> None:
        """End a pause. Tracing resumes in `frame`, of the user, if it is not traced there or suspended."""
        if paused and self.state.running:
            sys.settrace(self._thread().call)
        if frame is not None and (not paused or frame.f_trace is None):
            self.resume(frame)

    def flush(self) -> None:
        """Attribute the Nodes created until now to the current line."""
        self._thread().flush()

    def _thread(self) -> ThreadLineTracer:
        try:
            thread: ThreadLineTracer = self._local.thread
        except AttributeError:
            thread = self._local.thread = ThreadLineTracer(self.state)
            self.tracers.add(thread.call)
            if self.state.running:
                OWN_TRACERS.add(thread.call)
        return thread

    def _new_thread(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        """The function that `threading` sets as the trace function of a new thread."""
        sys.settrace(None)
        if not self.state.running:
            return None
        thread = self._thread()
        thread.resume(frame)
        traced: Trace | None = thread.call(frame, event, argument)
        return traced
