"""Who called an operation, as the frames tell: the user's line, an optimizer, a constructor, a custom Function."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import CodeType, FrameType

import torch
import torch.overrides
from torch import nn

from inspector.frames import variables_of
from inspector.recorder.forward.lines import DISPATCHERS
from inspector.recorder.forward.sources import Place


def beyond_dispatch(frame: FrameType | None) -> FrameType | None:
    """From the frame that called the mode to the one that called the operation.

    A mode of the user's above ours calls a function of Python once more, and that hands itself over once more.
    """
    while frame is not None:
        if frame.f_code.co_name in DISPATCHERS:
            frame = frame.f_back
        elif frame.f_code is HANDLE:
            frame = _beyond_function(frame.f_back)
        else:
            break
    return frame


def _beyond_function(frame: FrameType | None) -> FrameType | None:
    """`torch.nn.functional.relu` calls `handle_torch_function` with itself: from there to its caller."""
    if frame is None or not frame.f_code.co_filename.endswith(_DISPATCHING):
        return frame
    frame = frame.f_back
    while frame is not None and frame.f_code.co_filename.endswith("_jit_internal.py"):  # boolean_dispatch
        frame = frame.f_back
    return frame


HANDLE: CodeType = torch.overrides.handle_torch_function.__code__
_DISPATCHING = ("functional.py", "_tensor.py", "overrides.py", "_torch_docs.py", "init.py")
OPTIMIZERS = str(Path(torch.__file__).parent / "optim") + os.sep
APPLY: CodeType = torch.autograd.Function.apply.__func__.__code__  # type: ignore[attr-defined]  # a classmethod


def in_constructor(frame: FrameType | None) -> bool:
    """Whether a module of torch's is being made, and initialises the parameter that it has just got."""
    while frame is not None and frame.f_code.co_filename != _MODULE_FILE:
        if frame.f_code.co_name == "__init__" and isinstance(variables_of(frame).get("self"), nn.Module):
            return True
        frame = frame.f_back
    return False


_MODULE_FILE = nn.Module._call_impl.__code__.co_filename


def decorated_function(frame: FrameType | None) -> Place | None:
    """The function that a decorator of torch's (`@torch.no_grad()`) wraps, if its wrapper calls `frame`."""
    while frame is not None and frame.f_code.co_filename.endswith(_GRAD_MODES):
        if frame.f_code.co_name == "decorate_context":
            code = getattr(frame.f_locals.get("func"), "__code__", None)
            return None if code is None else (code, 0)
        frame = frame.f_back
    return None


_GRAD_MODES = ("grad_mode.py", "_contextlib.py", "overrides.py")


def in_custom_function() -> bool:
    """Whether a custom Function's forward is running, where torch has turned gradients off, not the user."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not APPLY:
        frame = frame.f_back
    return frame is not None
