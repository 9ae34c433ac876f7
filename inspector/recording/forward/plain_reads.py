"""Tell the calls that only ask a tensor for a fact, such as its shape: half of all that a function mode receives.

They compute nothing, warn of nothing and run no Python code, so nothing of them is recorded.
"""

from __future__ import annotations

from types import FrameType, MethodDescriptorType, MethodWrapperType
from typing import Any

import torch

from inspector.torch_api.frames import OPTIMIZERS
from inspector.torch_api.tensors import getter

_ATTRIBUTES = (
    "device",
    "dtype",
    "is_cpu",
    "is_cuda",
    "is_nested",
    "is_quantized",
    "is_sparse",
    "layout",
    "ndim",
    "requires_grad",
    "shape",
)
_METHODS = ("dim", "is_complex", "is_contiguous", "is_floating_point", "numel", "size", "stride")

READS = frozenset([*map(getter, _ATTRIBUTES), *(getattr(torch.Tensor, name) for name in _METHODS)])
"""What only asks for a fact."""

READING = frozenset([MethodWrapperType, MethodDescriptorType])
"""The types of these functions."""

_GRAD: Any = torch.Tensor.grad  # the descriptor
GRADS = frozenset([_GRAD.__get__, _GRAD.__set__])
"""Reads and sets the grad of a tensor."""

_is_leaf = getter("is_leaf")


def is_optimizers(frame: FrameType, tensor: torch.Tensor) -> bool:
    """Whether an optimizer reads or clears the grad of a parameter; what the script reads is recorded.

    frame: the one that called the mode.
    """
    return frame.f_code.co_filename.startswith(OPTIMIZERS) and bool(_is_leaf(tensor))
