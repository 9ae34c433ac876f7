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
from inspector.torch_api.engine import EngineArguments, Entrance, entrances, in_backward, read_arguments
from inspector.torch_api.frames import GRADCHECK_FILE, TORCH
from inspector.torch_api.patch import Patch
from inspector.torch_api.tensors import in_transform, is_traced

_BETWEEN = (TORCH, str(Path(__file__).parent) + os.sep)


@dataclass(frozen=True, slots=True)
class EngineCall:
    """One call of the engine: what it was given, and the frame that called it, outside of torch."""

    given: EngineArguments
    frame: FrameType | None


class EngineObserver(Protocol):
    """Who is told of engine calls. Nothing it raises reaches the script, except what `instead_of_return`
    returns."""

    def before_backward(self, call: EngineCall) -> Any:
        """Before the engine runs; what it returns is handed to `after_backward`."""

    def after_backward(self, token: Any, result: Any, error: BaseException | None) -> None:
        """After the engine ran or raised. result: what `torch.autograd.grad` returns."""

    def instead_of_return(self) -> Callable[[], None] | None:
        """Asked after `after_backward`: what to call in the place of the return (it may raise), None to go on."""


class EngineHook:
    """Stands in the entrances of the engine from `install` to `uninstall`."""

    def __init__(self, observer: EngineObserver) -> None:
        self._observer = observer
        self._patches: list[Patch] = []
        self._busy = threading.local()

    def install(self) -> None:
        """Begin to watch. Does nothing if it watches already."""
        if self._patches:
            return
        self._patches = [
            Patch(entrance.owners, entrance.name, functools.partial(self._watched, entrance))
            for entrance in entrances()
        ]
        for patch in self._patches:
            patch.install()

    def uninstall(self) -> None:
        """Watch no more. Where somebody has wrapped our function since, it stays and passes calls on."""
        for patch in self._patches:
            patch.uninstall()
        self._patches = []

    def _watched(self, entrance: Entrance, original: Callable[..., Any]) -> Callable[..., Any]:
        def enter(*args: Any, **kwargs: Any) -> Any:
            call = without_dynamo(self._arguments, entrance, args, kwargs)
            if call is None:
                return original(*args, **kwargs)
            return self._run(original, call, args, kwargs)

        # What they call, the engine and the user's hooks, Dynamo sees as it would without us.
        skip_in_dynamo(enter, EngineHook._arguments, EngineHook._run, _caller)
        return functools.wraps(original)(enter)

    def _arguments(self, entrance: Entrance, args: Any, kwargs: Any) -> EngineArguments | None:
        """What a call is given; None for one that is not the script's own: one within another, a trace of the
        compiler, `torch.func`, and one that torch is about to refuse."""
        if not self._patches or getattr(self._busy, "here", False):
            return None
        if in_backward():
            return None  # from a hook or a reentrant checkpoint: it belongs to the outer call
        if torch.compiler.is_compiling() or in_transform():
            return None
        call = read_arguments(entrance, args, kwargs)
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
        collects = gc.isenabled()
        gc.disable()  # what we note is young and stays: collections would only walk all of torch, again and again
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

    A call that passes a TorchFunctionMode of ours on its way has frames of ours between those of torch.
    """
    while frame is not None and frame.f_code.co_filename.startswith(_BETWEEN):
        if frame.f_code.co_filename == GRADCHECK_FILE:
            return frame, True
        frame = frame.f_back
    return frame, False
