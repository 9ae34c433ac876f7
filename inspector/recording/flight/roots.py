"""The value of a root, without waiting for a device."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from msgspec import Struct

from inspector.tensor_stats import is_ordinary
from inspector.torch_api.modes import dispatch_mode_count, function_mode_count, is_profiling, unobserved

_NARROW = (torch.float16, torch.bfloat16)


class Root(Struct, frozen=True):
    """A root that is a number. value: on another device, a copy of the tensor there."""

    value: float | torch.Tensor
    is_exact: bool

    @property
    def is_finite(self) -> bool:
        """Whether it is finite, or on another device, where this is not known."""
        return not isinstance(self.value, float) or math.isfinite(self.value)

    def number(self) -> float:
        """The value; waits for the device."""
        return float(self.value)


def number_of(outputs: Sequence[Any]) -> float | None:
    """The value of the only root, if reading it takes a microsecond: an ordinary number on the CPU, and no mode or
    profiler; None otherwise."""
    if len(outputs) != 1 or type(root := outputs[0]) is not torch.Tensor or function_mode_count():
        return None
    if dispatch_mode_count() or is_profiling() or not root.is_cpu or root.numel() != 1:
        return None
    try:
        value = root.item()
    except RuntimeError:  # in a transform of torch.func
        return None
    return value if type(value) is float else None


def root_of(outputs: Iterable[Any]) -> Root | None:
    """The first root that is an ordinary real tensor with one element; None if there is none."""
    for output in outputs:
        if isinstance(output, torch.Tensor) and is_ordinary(output):
            with unobserved():
                if output.numel() == 1 and not output.is_meta and output.dtype.is_floating_point:
                    exact = output.dtype not in _NARROW
                    return Root(output.item() if output.is_cpu else output.detach().clone(), exact)
    return None
