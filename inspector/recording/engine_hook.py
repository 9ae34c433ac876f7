"""Intercept every call of the autograd engine from Python, at its common entry point.

Calls from TorchScript and C++ extensions do not pass through it.
"""

from __future__ import annotations

import functools
import gc
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch

from inspector.torch_api.compilation import skip_in_dynamo, without_dynamo
from inspector.torch_api.engine import EngineArguments, EntryPoint, entry_points, in_backward, read_arguments
from inspector.torch_api.frames import GRADCHECK_FILE, TORCH
from inspector.torch_api.patch import Patch
from inspector.torch_api.tensors import in_transform, is_traced

_BETWEEN = (TORCH, str(Path(__file__).parent) + os.sep)


@dataclass(frozen=True, slots=True)
class EngineCall:
    """One call of the engine: its arguments, and the frame outside of torch that called it."""

    given: EngineArguments
    frame: FrameType | None


class EngineObserver(Protocol):
    """Observer of engine calls. Its exceptions never reach the script, except those of the function that
    `instead_of_return` returns."""

    def before_backward(self, call: EngineCall) -> Any:
        """Called before the engine runs; the result is passed to `after_backward`."""

    def after_backward(self, token: Any, result: Any, error: BaseException | None) -> None:
        """Called after the engine ran or raised. result: the return value of `torch.autograd.grad`."""

    def instead_of_return(self) -> Callable[[], None] | None:
        """Called after `after_backward`: a function to call instead of returning (it may raise), or None."""


class EngineHook:
    """Wraps the entry points of the engine from `install` to `uninstall`.

    pauses_gc: whether the garbage collector pauses during a call, since the observer makes many objects that stay
    alive: each collection would only traverse all of torch again.
    """

    def __init__(self, observer: EngineObserver, *, pauses_gc: bool = True) -> None:
        self._observer = observer
        self._pauses_gc = pauses_gc
        self._patches: list[Patch] = []
        self._busy = threading.local()

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

    def _watched(self, entry_point: EntryPoint, original: Callable[..., Any]) -> Callable[..., Any]:
        def enter(*args: Any, **kwargs: Any) -> Any:
            call = without_dynamo(self._arguments, entry_point, args, kwargs)
            if call is None:
                return original(*args, **kwargs)
            return self._run(original, call, args, kwargs)

        # Dynamo still evaluates what these functions call: the engine and the hooks of the user.
        skip_in_dynamo(enter, EngineHook._arguments, EngineHook._run, _caller)
        return functools.wraps(original)(enter)

    def _arguments(self, entry_point: EntryPoint, args: Any, kwargs: Any) -> EngineArguments | None:
        """The arguments of a call; None for a call that is not the script's own: nested calls, compiler traces,
        `torch.func`, and calls that torch is about to refuse."""
        if not self._patches or getattr(self._busy, "here", False):
            return None
        if in_backward():
            return None  # from a hook or a reentrant checkpoint: it belongs to the outer call
        if torch.compiler.is_compiling() or in_transform():
            return None
        call = read_arguments(entry_point, args, kwargs)
        if call is None:
            return None
        return None if any(map(is_traced, call.outputs)) else call

    def _start(self, call: EngineArguments, frame: FrameType | None) -> Any:
        return self._observer.before_backward(EngineCall(call, frame))

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
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                without_dynamo(self._observer.after_backward, token, None, error)
                raise
            without_dynamo(self._observer.after_backward, token, result, None)
        finally:
            self._busy.here = False
            if collects:
                gc.enable()
        instead = without_dynamo(self._observer.instead_of_return)
        if instead is not None:
            instead()
        return result


def _caller(frame: FrameType | None) -> tuple[FrameType | None, bool]:
    """The frame that called torch, and whether torch's gradcheck did.

    If the call passed through a TorchFunctionMode of the inspector, its frames are between those of torch.
    """
    while frame is not None and frame.f_code.co_filename.startswith(_BETWEEN):
        if frame.f_code.co_filename == GRADCHECK_FILE:
            return frame, True
        frame = frame.f_back
    return frame, False
