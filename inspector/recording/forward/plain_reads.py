"""Tell the calls that only ask a tensor for a fact, such as its shape: half of all that a function mode receives.

They compute nothing, warn of nothing and run no Python code, so nothing of them is recorded.
"""

from __future__ import annotations

from types import FrameType, MethodDescriptorType, MethodWrapperType
from typing import Any

import torch

from inspector.tensor_stats.plain_tensor import ORDINARY
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

_READS = frozenset([*map(getter, _ATTRIBUTES), *(getattr(torch.Tensor, name) for name in _METHODS)])
_TYPES = (MethodWrapperType, MethodDescriptorType)

_GRAD: Any = torch.Tensor.grad  # the descriptor
_GRADS = frozenset([_GRAD.__get__, _GRAD.__set__])
_is_leaf = getter("is_leaf")


def is_plain_read(function: Any, arguments: tuple[Any, ...], frame: FrameType) -> bool:
    """Whether a call is such a read. frame: the one that called the mode.

    An optimizer reads and clears the grad of each parameter; what the script reads is recorded.
    """
    if type(function) not in _TYPES or not arguments or type(arguments[0]) not in ORDINARY:
        return False
    if function in _READS:
        return True
    return function in _GRADS and frame.f_code.co_filename.startswith(OPTIMIZERS) and bool(_is_leaf(arguments[0]))
