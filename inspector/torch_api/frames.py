"""Frames of torch: which user frame called an operation, as seen from below."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch
from torch import nn

from inspector.torch_api.modes import HANDLE
from inspector.torch_api.modules import MODULE_FILE
from inspector.util.frame_locals import variables_of

DISPATCHERS = ("__torch_function__", "__torch_dispatch__")
"""Methods of the user's own modes and tensor classes, which pass on calls made elsewhere."""

TORCH = torch.__path__[0] + os.sep
"""The folder of torch, with a separator at its end."""

OPTIMIZERS = str(Path(torch.__file__).parent / "optim") + os.sep

_AUTOGRAD = f"autograd{os.sep}__init__.py"
_DISPATCHING = ("functional.py", "_tensor.py", "overrides.py", "_torch_docs.py", "init.py", _AUTOGRAD)
_GRAD_MODES = ("grad_mode.py", "_contextlib.py", "overrides.py")
GRADCHECK_FILE: str = torch.autograd.gradcheck.__code__.co_filename


def operation_caller(frame: FrameType | None) -> FrameType | None:
    """The frame that called an operation. frame: the one that called the mode.

    A mode of the user above the inspector's calls Python functions again, which dispatch themselves again.
    """
    while frame is not None:
        if frame.f_code.co_name in DISPATCHERS:
            frame = frame.f_back
        elif frame.f_code is HANDLE:
            frame = _function_caller(frame.f_back)
        else:
            break
    return frame


def _function_caller(frame: FrameType | None) -> FrameType | None:
    """The caller of a Python function such as `torch.nn.functional.relu`, which calls `handle_torch_function`."""
    if frame is None or not frame.f_code.co_filename.endswith(_DISPATCHING):
        return frame
    return _outside_dispatch(frame.f_back)


def _outside_dispatch(frame: FrameType | None) -> FrameType | None:
    while frame is not None and frame.f_code.co_filename.endswith("_jit_internal.py"):  # boolean_dispatch
        frame = frame.f_back
    return frame


def function_caller(frame: FrameType) -> FrameType | None:
    """The frame that a warning of an operation names. frame: the one that called the mode.

    A function written in Python calls `handle_torch_function`, which calls it again through the mode.
    """
    if frame.f_code is not HANDLE or frame.f_back is None:
        return frame
    return _outside_dispatch(frame.f_back.f_back)


def in_constructor(frame: FrameType | None) -> bool:
    """Whether a torch module is being constructed and initialises the parameter it has just created."""
    while frame is not None and frame.f_code.co_filename != MODULE_FILE:
        if frame.f_code.co_name == "__init__" and isinstance(variables_of(frame).get("self"), nn.Module):
            return True
        frame = frame.f_back
    return False


def imports_within(code: CodeType, frame: FrameType | None) -> bool:
    """Whether a frame runs because the function with this code made torch import a module.

    An optimizer of torch 2.6 imports its compiler, which tries operations on its own tensors.
    """
    while frame is not None and frame.f_code is not code:
        if frame.f_code.co_filename == _IMPORT_FILE:
            return True
        frame = frame.f_back
    return False


_IMPORT_FILE = "<frozen importlib._bootstrap>"


def module_caller(frame: FrameType | None) -> FrameType | None:
    """The frame that called a module. frame: one inside that call."""
    while frame is not None and frame.f_code.co_filename == MODULE_FILE:
        frame = frame.f_back
    return frame


def decorated_function(frame: FrameType | None) -> CodeType | None:
    """The function wrapped by a torch decorator (`@torch.no_grad()`), if its wrapper calls `frame`."""
    while frame is not None and frame.f_code.co_filename.endswith(_GRAD_MODES):
        if "func" in frame.f_code.co_freevars:  # its code may have the name of the function
            return getattr(frame.f_locals.get("func"), "__code__", None)
        frame = frame.f_back
    return None


class _Forwards:
    """The code of the forward of every custom Function, searched again for each unknown code."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[CodeType, bool]] = {}

    def has(self, code: CodeType) -> bool:
        if code.co_name != "forward":  # the usual case
            return False
        known = self._known.get(id(code))
        if known is None:
            found = any(_forward_of(function) is code for function in _functions(torch.autograd.Function))
            known = self._known[id(code)] = code, found
        return known[1]


def _functions(base: type[Any]) -> Iterator[type[Any]]:
    waiting = [base]
    while waiting:
        function = waiting.pop()
        yield function
        waiting += type.__subclasses__(function)


def _forward_of(function: type[Any]) -> CodeType | None:
    forward = vars(function).get("forward")
    return getattr(getattr(forward, "__func__", forward), "__code__", None)


is_forward = _Forwards().has
"""Whether a code object is the forward of a custom Function (`torch.autograd.Function`)."""


PARAMETER: CodeType = nn.Parameter.__new__.__code__
"""The code of the constructor of `nn.Parameter`."""


def forward_code(node: Any) -> CodeType | None:
    """The code of the forward of a custom Function's Node; None for other Nodes."""
    function = getattr(type(node), "_forward_cls", None)
    return None if function is None else getattr(getattr(function, "forward", None), "__code__", None)


def apply_caller(frame: FrameType | None) -> FrameType | None:
    """The frame that called `apply`, which is a function in Python or in C.

    frame: the one that called the forward of the custom Function.
    """
    while frame is not None and frame.f_code.co_filename == _FUNCTION_FILE:
        frame = frame.f_back
    return frame


_FUNCTION_FILE = torch.autograd.Function.mark_dirty.__code__.co_filename


def custom_forward(frame: FrameType | None) -> FrameType | None:
    """The frame of a custom Function's forward that is running, in which torch turns gradients off."""
    while frame is not None and not is_forward(frame.f_code):
        frame = frame.f_back
    return frame


def needs_gradient(forward: FrameType) -> bool:
    """Whether an input of a custom Function requires a gradient; True if that is unknown.

    forward: the frame of its forward, whose first argument is the context in the older of its two forms.
    """
    arguments = forward.f_code.co_varnames[: forward.f_code.co_argcount]
    context = variables_of(forward).get(arguments[0]) if arguments else None
    needs = getattr(context, "needs_input_grad", None) if isinstance(context, _CONTEXTS) else None
    return needs is None or any(needs)


def in_sample(frame: FrameType | None) -> bool:
    """Whether `sample()` of one of torch's distributions runs although it has an `rsample()`.

    frame: one inside that call, with no frame of the user between.
    """
    while frame is not None and frame.f_code.co_filename.startswith(TORCH):
        if frame.f_code.co_name == "sample" and frame.f_code.co_filename.startswith(_DISTRIBUTIONS):
            return bool(getattr(variables_of(frame).get("self"), "has_rsample", False))
        frame = frame.f_back
    return False


_DISTRIBUTIONS = TORCH + "distributions" + os.sep


_CONTEXTS = (torch.autograd.function.FunctionCtx,)
