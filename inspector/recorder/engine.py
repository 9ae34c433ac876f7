"""Sees every call of the autograd engine from Python, at the one place that all of them pass.

`Tensor.backward`, `torch.autograd.backward` and `torch.autograd.grad` all end in `_engine_run_backward`, which
torch keeps under two names; `torch.compiler` exchanges it there too. Calls from TorchScript and from C++
extensions do not pass here.
"""

from __future__ import annotations

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
import torch.autograd.graph
from torch._subclasses.fake_tensor import FakeTensor
from torch._subclasses.functional_tensor import FunctionalTensor

from inspector.recorder.dynamo import hide_alone, unseen

_GRADCHECK = torch.autograd.gradcheck.__code__.co_filename
_OUTSIDE_OF_A_GRAPH_TASK = -1
_BETWEEN = (torch.__path__[0] + os.sep, str(Path(__file__).parent) + os.sep)


@dataclass(frozen=True, slots=True)
class EngineCall:
    """One call of the engine.

    outputs: the tensors and GradientEdges it starts from. inputs: those whose gradients are wanted, empty for all
    leaves. accumulates: True for `backward`, False for `torch.autograd.grad`. frame: the caller, outside of torch.
    gradients: under create_graph the tensors that backward starts with; None where it makes no graph.
    """

    outputs: tuple[Any, ...]
    inputs: tuple[Any, ...]
    accumulates: bool
    frame: FrameType | None
    gradients: tuple[Any, ...] | None = None


class Observer(Protocol):
    """Who is told of engine calls. Nothing it raises reaches the script, except what `finished` returns."""

    def starts(self, call: EngineCall) -> Any:
        """Before the engine runs; what it returns is handed to `ends`."""

    def ends(self, token: Any, result: Any, error: BaseException | None) -> None:
        """After the engine ran or raised. result: what `torch.autograd.grad` returns."""

    def finished(self) -> Callable[[], None] | None:
        """Asked after `ends`: what to call in the place of the return (it may raise), None to go on."""


class EngineWatch:
    """Stands in the place of `_engine_run_backward` from `install` to `uninstall`."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._original: Callable[..., Any] | None = None
        self._installed: Callable[..., Any] | None = None
        self._busy = threading.local()

    def install(self) -> None:
        """Begin to watch. Does nothing if it watches already."""
        if self._installed is not None:
            return
        original = self._original = torch.autograd.graph._engine_run_backward

        def engine_run_backward(t_outputs: Any, *args: Any, **kwargs: Any) -> Any:
            if unseen(self._ignores, t_outputs):
                return original(t_outputs, *args, **kwargs)
            return self._run(original, t_outputs, args, kwargs)

        # What they call, the engine and the user's hooks, Dynamo sees as it would without us.
        hide_alone(engine_run_backward, EngineWatch._ignores, EngineWatch._run, _caller, _inputs)
        self._installed = engine_run_backward
        torch.autograd.graph._engine_run_backward = engine_run_backward
        torch.autograd._engine_run_backward = engine_run_backward  # type: ignore[attr-defined]

    def uninstall(self) -> None:
        """Watch no more. Where somebody has wrapped our function since, it stays and passes calls on."""
        for module in (torch.autograd.graph, torch.autograd):
            if getattr(module, "_engine_run_backward", None) is self._installed:
                setattr(module, "_engine_run_backward", self._original)  # noqa: B010
        self._installed = None

    def _ignores(self, outputs: Any) -> bool:
        """Whether a call is not the script's own: one within another, a trace of the compiler, `torch.func`."""
        if self._installed is None or getattr(self._busy, "here", False):
            return True
        if torch._C._current_graph_task_id() != _OUTSIDE_OF_A_GRAPH_TASK:
            return True  # from a hook or a reentrant checkpoint: it belongs to the outer call
        if torch.compiler.is_compiling() or torch._C._functorch.peek_interpreter_stack() is not None:
            return True
        return any(isinstance(output, (FakeTensor, FunctionalTensor)) for output in outputs)

    def _run(self, original: Callable[..., Any], outputs: Any, args: Any, kwargs: Any) -> Any:
        frame, is_gradcheck = _caller(sys._getframe(2))
        if is_gradcheck:
            return original(outputs, *args, **kwargs)
        self._busy.here = True
        collects = gc.isenabled()
        gc.disable()  # what we note is young and stays: collections would only walk all of torch, again and again
        try:
            token = unseen(self._start, outputs, args, kwargs, frame)
            del frame
            try:
                result = original(outputs, *args, **kwargs)
            except BaseException as error:
                unseen(self._observer.ends, token, None, error)
                raise
            unseen(self._observer.ends, token, result, None)
        finally:
            self._busy.here = False
            if collects:
                gc.enable()
        instead = unseen(self._observer.finished)
        if instead is not None:
            instead()
        return result

    def _start(self, outputs: Any, args: Any, kwargs: Any, frame: FrameType | None) -> Any:
        gradients = tuple(args[0]) if len(args) > 2 and args[2] else None
        call = EngineCall(tuple(outputs), _inputs(args), bool(kwargs.get("accumulate_grad")), frame, gradients)
        return self._observer.starts(call)


def _inputs(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """`inputs` of `_engine_run_backward(outputs, grad_outputs, retain_graph, create_graph, inputs, …)`: `args` are
    those behind `outputs`."""
    inputs = args[3] if len(args) > 3 else ()
    return tuple(inputs) if inputs else ()


def _caller(frame: FrameType | None) -> tuple[FrameType | None, bool]:
    """The frame that called torch, and whether torch's gradcheck did.

    A call that passes a TorchFunctionMode of ours on its way has frames of ours between those of torch.
    """
    while frame is not None and frame.f_code.co_filename.startswith(_BETWEEN):
        if frame.f_code.co_filename == _GRADCHECK:
            return frame, True
        frame = frame.f_back
    return frame, False
