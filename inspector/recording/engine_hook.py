"""Intercept every call of the autograd engine from Python, at its common entry point.

Calls from TorchScript and C++ extensions do not pass through it.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from msgspec import Struct

from inspector.torch_api.compilation import skip_in_dynamo, without_dynamo
from inspector.torch_api.engine import (
    OUTSIDE,
    EngineArguments,
    EntryPoint,
    entry_points,
    graph_task,
    in_backward,
    read_arguments,
)
from inspector.torch_api.frames import GRADCHECK_FILE, TORCH
from inspector.torch_api.modes import hidden
from inspector.torch_api.patch import Patch
from inspector.torch_api.tracers import belongs_to_trace, is_tracing
from inspector.util.deferred_signals import handle_deferred
from inspector.util.stand_in_frames import STAND_INS, is_stand_in

_BETWEEN = (TORCH, str(Path(__file__).parent) + os.sep, STAND_INS)


class EngineCall(Struct, frozen=True):
    """One call of the engine: its arguments, and the frame outside of torch that called it."""

    given: EngineArguments
    frame: FrameType | None


class EngineObserver(Protocol):
    """Observer of engine calls. Its exceptions never reach the script, except those of the function that
    `instead_of_return` returns.

    The script's modes and tensor classes do not see what `before_backward` and `after_backward` do.
    """

    def before_backward(self, call: EngineCall) -> Any:
        """Called before the engine runs; the result is passed to `after_backward`."""

    def after_backward(self, token: Any, result: Any, error: BaseException | None) -> None:
        """Called after the engine ran or raised. result: the return value of `torch.autograd.grad`."""

    def nested_call(self, token: Any, call: EngineArguments) -> Callable[[], None] | None:
        """Called when a Node of a call calls the engine in its backward, as a reentrant checkpoint does. Returns
        None, or a function that is called when that has ended; it may not raise. token: of the outer call."""

    def call_ended(self) -> None:
        """Called after `after_backward`, and after `before_backward` if it returned None, for what may run code of
        the script."""

    def instead_of_return(self) -> Callable[[], None] | None:
        """Called after `call_ended`, unless the engine raised: None, or a function to call instead of going on.
        It may raise."""


class _Busy(threading.local):
    """Whether the calling thread is in a call that the observer knows of, or that is not the script's."""

    here = False


class EngineHook:
    """Wraps the entry points of the engine from `install` to `uninstall`.

    Threads may run backward at the same time, but the observer is called by one of them at a time.

    pauses_gc: whether the garbage collector pauses during a call, since the observer makes many objects that stay
    alive: each collection would only traverse all of torch again.
    """

    def __init__(self, observer: EngineObserver, *, pauses_gc: bool = True) -> None:
        self._observer = observer
        self._pauses_gc = pauses_gc
        self._patches: list[Patch] = []
        self._busy = _Busy()
        self._turn = threading.RLock()
        self.passes: Callable[[Sequence[Any]], bool] | None = None
        """Asked at each call, if it is not None, with the outputs of a call that accumulates, else with nothing:
        whether the engine runs without the observer being called. It may not raise, nor do what modes or tensor
        classes of the script would see."""
        self.passed: Callable[[], None] | None = None
        """Called after a call for which `passes` has returned true, under the lock of the observer."""
        _HOOKS.add(self)

    def install(self) -> None:
        """Install the wrappers. Does nothing if they are installed."""
        if self._patches:
            return
        self._patches = [
            Patch(entry_point.owners, entry_point.name, functools.partial(self._watched, entry_point))
            for entry_point in entry_points()
        ]
        for patch in self._patches:
            patch.install()

    def uninstall(self) -> None:
        """Remove the wrappers. If other code has wrapped one since, it stays and only passes calls on."""
        for patch in self._patches:
            patch.uninstall()
        self._patches = []

    def new_turns(self) -> None:
        """Let the observer be called again, in a forked process: a thread that does not exist there may have been
        calling it."""
        self._turn = threading.RLock()

    def _watched(self, entry_point: EntryPoint, original: Callable[..., Any]) -> Callable[..., Any]:
        busy, task, outside, roots = self._busy, graph_task(), OUTSIDE, entry_point.roots

        def enter(*args: Any, **kwargs: Any) -> Any:
            passes = self.passes
            if passes is not None:  # written out: it runs in every step that is only counted
                if busy.here or task() != outside:
                    return original(*args, **kwargs)
                try:
                    is_left_out = passes(roots(args, kwargs))
                except Exception:  # torch is about to refuse the arguments
                    is_left_out = False
                if is_left_out:
                    result = original(*args, **kwargs)
                    with self._turn:
                        if (passed := self.passed) is not None:
                            passed()
                    return result
            call = without_dynamo(self._arguments, entry_point, args, kwargs)
            if call is None:
                return self._run_unseen(original, entry_point, args, kwargs)
            return self._run(original, call, args, kwargs)

        # Dynamo still evaluates what these functions call: the engine and the hooks of the user.
        skip_in_dynamo(
            enter,
            EngineHook._arguments,
            EngineHook._run,
            EngineHook._run_unseen,
            EngineHook._stop_here,
            handle_deferred,
            _caller,
            is_stand_in,
        )
        return functools.wraps(original)(enter)

    def _arguments(self, entry_point: EntryPoint, args: Any, kwargs: Any) -> EngineArguments | None:
        """The arguments of a call; None for a call that is not the script's own: nested calls, calls that torch
        traces, `torch.func`, and calls that torch is about to refuse."""
        if not self._patches or self._busy.here:
            return None
        if in_backward():
            return None  # from a hook or a reentrant checkpoint: it belongs to the outer call
        if is_tracing():
            return None
        call = read_arguments(entry_point, args, kwargs)
        if call is None:
            return None
        return None if any(map(belongs_to_trace, call.outputs)) else call

    def _run_unseen(self, original: Callable[..., Any], entry_point: EntryPoint, args: Any, kwargs: Any) -> Any:
        """Run the engine for a call that is not the script's own."""
        token = getattr(self._busy, "token", None)
        ended = None if token is None else without_dynamo(self._nested, token, entry_point, args, kwargs)
        if ended is None:
            return original(*args, **kwargs)
        try:
            return original(*args, **kwargs)
        finally:
            without_dynamo(self._end_nested, ended)

    def _nested(self, token: Any, entry_point: EntryPoint, args: Any, kwargs: Any) -> Callable[[], None] | None:
        if not in_backward() or is_tracing():
            return None
        call = read_arguments(entry_point, args, kwargs)
        if call is None or any(map(belongs_to_trace, call.outputs)):
            return None
        with self._turn, hidden():
            return self._observer.nested_call(token, call)

    def _end_nested(self, ended: Callable[[], None]) -> None:
        with self._turn, hidden():
            ended()

    def _start(self, call: EngineArguments, frame: FrameType | None) -> Any:
        with self._turn, hidden():
            token = self._observer.before_backward(EngineCall(call, frame))
        if token is None:
            self._observer.call_ended()
        return token

    def _end(self, token: Any, result: Any, error: BaseException | None) -> None:
        with self._turn, hidden():
            self._observer.after_backward(token, result, error)
        self._observer.call_ended()

    def _run(self, original: Callable[..., Any], call: EngineArguments, args: Any, kwargs: Any) -> Any:
        frame, from_gradcheck = _caller(sys._getframe(2))
        if from_gradcheck:
            return original(*args, **kwargs)
        self._busy.here = True
        collects = self._pauses_gc and gc.isenabled()
        if collects:
            gc.disable()
        try:
            token = without_dynamo(self._start, call, frame)
            del frame
            self._busy.token = token
            if token is None:
                self._stop_here()
            try:
                handle_deferred()
                result = original(*args, **kwargs)
            except BaseException as error:
                without_dynamo(self._end, token, None, error)
                raise
            without_dynamo(self._end, token, result, None)
        finally:
            self._busy.here, self._busy.token = False, None
            if collects:
                gc.enable()
            handle_deferred()
        self._stop_here()
        return result

    def _stop_here(self) -> None:
        """Call what the observer wants to be called instead of going on, if anything."""
        instead = without_dynamo(self._observer.instead_of_return)
        if instead is not None:
            instead()


def _caller(frame: FrameType | None) -> tuple[FrameType | None, bool]:
    """The frame that called torch, and whether torch's gradcheck did.

    If the call passed through a TorchFunctionMode of the inspector, its frames are between those of torch, and
    frames that stand in for others.
    """
    while frame is not None and (
        frame.f_code.co_filename.startswith(_BETWEEN) or is_stand_in(frame.f_code)
    ):
        if frame.f_code.co_filename == GRADCHECK_FILE:
            return frame, True
        frame = frame.f_back
    return frame, False


def caller_of_torch() -> FrameType | None:
    """The frame of the script that has called the engine, for a function that is called instead of returning."""
    return _caller(sys._getframe(1))[0]


@contextlib.contextmanager
def unrecorded_calls() -> Iterator[None]:
    """Within it, calls of the engine in this thread are the inspector's own, and no observer sees them."""
    idle = [hook for hook in tuple(_HOOKS) if not hook._busy.here]
    for hook in idle:
        hook._busy.here = True
    try:
        yield
    finally:
        for hook in idle:
            hook._busy.here = False


_HOOKS: weakref.WeakSet[EngineHook] = weakref.WeakSet()


def _new_turns_in_child() -> None:
    for hook in tuple(_HOOKS):
        hook.new_turns()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_turns_in_child)
