"""Functions that call the engine in their backward, as a reentrant checkpoint does."""

from __future__ import annotations

from types import CodeType, FrameType
from typing import Any

import torch

from inspector.torch_api.capability import Capability

_INPUTS = "detached_inputs"
"""The variable of a reentrant checkpoint's backward that holds the inputs of the forward that runs again."""


def _find_checkpoint() -> CodeType:
    import torch.utils.checkpoint

    code: CodeType = torch.utils.checkpoint.CheckpointFunction.backward.__code__
    if _INPUTS not in code.co_varnames:
        raise LookupError(f"no variable {_INPUTS}")
    return code


CHECKPOINT = Capability(
    "backward of reentrant checkpoints",
    "where gradients leave the graph of a reentrant checkpoint is unknown",
    _find_checkpoint,
)


def checkpoint_inputs(frame: FrameType | None) -> list[torch.Tensor] | None:
    """The inputs of the forward that a reentrant checkpoint has run again, one for each slot of its
    next_functions; None if none of the frames is that of one.

    frame: the innermost.
    """
    code = CHECKPOINT.parts
    while frame is not None and code is not None:
        if frame.f_code is code:
            given = frame.f_locals.get(_INPUTS, ())
            return [item for item in given if isinstance(item, torch.Tensor)]
        frame = frame.f_back
    return None


def is_python_function(node: Any) -> bool:
    """Whether a Node is that of a `torch.autograd.Function`, whose backward is written in Python."""
    return issubclass(type(node), torch.autograd.function.BackwardCFunction)
