"""The elements of a small tensor in row-major order, from its sample, which is in memory order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy
import torch

from inspector.graph.elements import MOST_ELEMENTS, pack
from inspector.torch_api.modes import unobserved

if TYPE_CHECKING:
    import numpy.typing

_Array: TypeAlias = "numpy.typing.NDArray[numpy.floating]"

UNARRANGED: tuple[int, ...] = (-1,)
"""In place of strides: the sample does not hold all elements."""

_IN_FLOAT32 = (
    *(torch.float32, torch.float16, torch.bfloat16),
    *(torch.bool, torch.int8, torch.uint8, torch.int16),
)
"""Types whose every number is a float32."""

_LARGEST_INTEGER = 2**53
"""Up to which every integer is a float64."""


def packed_elements(
    sample: torch.Tensor, dtype: torch.dtype, shape: Sequence[int], strides: tuple[int, ...] | None
) -> str | None:
    """The elements as `inspector.graph.elements` packs them.

    sample: the elements in memory order, the dimension of the largest stride first. dtype, shape: of the tensor.
    strides: None if it is contiguous. None for more elements than are kept, for complex numbers, for integers that
    a float64 does not hold, and if elements overlap in a way that leaves their order open.
    """
    sizes = [int(size) for size in shape]
    count = math.prod(sizes)
    if not 0 < count <= MOST_ELEMENTS or dtype.is_complex or _is_open(sizes, strides):
        return None
    with unobserved():
        if sample.numel() != count:
            return None
        flat = sample.reshape(-1).to(torch.float32 if dtype in _IN_FLOAT32 else torch.float64).numpy()
    if not dtype.is_floating_point and numpy.abs(flat).max() >= _LARGEST_INTEGER:
        return None
    return pack(_row_major(flat, sizes, strides).astype(f"<f{flat.itemsize}").tobytes())


def _row_major(flat: _Array, sizes: list[int], strides: tuple[int, ...] | None) -> _Array:
    if strides is None:
        return flat
    order = sorted(range(len(sizes)), key=strides.__getitem__, reverse=True)
    return flat.reshape([sizes[axis] for axis in order]).transpose(numpy.argsort(order))


def _is_open(sizes: list[int], strides: tuple[int, ...] | None) -> bool:
    """Whether two dimensions have the same stride, and different elements along it."""
    steps = [step for size, step in zip(sizes, strides or (), strict=bool(strides)) if size > 1 and step]
    return len(set(steps)) < len(steps)
