"""Functions that rearrange or combine small tensors and are linear in each input: select, stack, product."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from inspector.derivatives.small_tensor import SmallTensor
from inspector.graph.node_kinds import KINDS, NodeKind

Linear = Callable[[list[SmallTensor], dict[str, Any], tuple[int, ...] | None], "SmallTensor | None"]
"""(inputs by slot, attributes of the function, shape of its output if known) → the output; None if unknown."""


def _reshaped(inputs: list[SmallTensor], _: dict[str, Any], shape: tuple[int, ...] | None) -> SmallTensor | None:
    (array,) = inputs
    if shape is None:
        return array if array.size == 1 else None
    return array.reshape(shape) if math.prod(shape) == array.size else None


def _expanded(inputs: list[SmallTensor], _: dict[str, Any], shape: tuple[int, ...] | None) -> SmallTensor | None:
    (array,) = inputs
    return numpy.full(shape, array.item()) if array.size == 1 and shape is not None else None


def _selected(
    inputs: list[SmallTensor], attributes: dict[str, Any], _: tuple[int, ...] | None
) -> SmallTensor | None:
    (array,) = inputs
    if attributes.get("dim") != 0 or not array.shape:
        return None
    selected: SmallTensor = numpy.asarray(array[attributes["index"]])
    return selected


def _stacked(
    inputs: list[SmallTensor], attributes: dict[str, Any], _: tuple[int, ...] | None
) -> SmallTensor | None:
    if attributes.get("dim") != 0 or len({array.shape for array in inputs}) != 1:
        return None
    return numpy.stack(inputs)


def _joined(
    inputs: list[SmallTensor], attributes: dict[str, Any], _: tuple[int, ...] | None
) -> SmallTensor | None:
    if attributes.get("dim") != 0 or any(len(array.shape) != 1 for array in inputs):
        return None
    return numpy.concatenate(inputs)


def _transposed(inputs: list[SmallTensor], _: dict[str, Any], __: tuple[int, ...] | None) -> SmallTensor | None:
    (array,) = inputs
    return array.T


def _product(inputs: list[SmallTensor], _: dict[str, Any], __: tuple[int, ...] | None) -> SmallTensor | None:
    """Matrix times matrix, or matrix times vector."""
    one, other = inputs
    if len(one.shape) != 2 or not other.shape or one.shape[1] != other.shape[0]:
        return None
    with numpy.errstate(all="ignore"):
        return numpy.tensordot(one, other, 1)


STRUCTURAL: dict[str, Linear] = {
    **{op: _reshaped for op, kinds in KINDS.items() if NodeKind.RESHAPES in kinds},
    "expand": _expanded,
    "select": _selected,
    "stack": _stacked,
    "cat": _joined,
    "t": _transposed,
    "mv": _product,
    "mm": _product,
}
"""Linear functions by op."""

STRUCTURAL_INPUTS: dict[str, tuple[str, ...]] = {
    "mv": ("self", "vec"),
    "mm": ("self", "mat2"),
}
"""Names of the inputs by op and slot, for functions with a saved input that may not require a gradient."""


def transposed_product(
    function: Callable[[SmallTensor], SmallTensor | None], at: SmallTensor, upstream: SmallTensor
) -> SmallTensor | None:
    """The gradient through a linear function: its output for each unit vector shaped like `at`, dot `upstream`."""
    found = []
    for unit in numpy.eye(at.size):
        column = function(unit.reshape(at.shape))
        if column is None or column.size != upstream.size:
            return None
        found.append(numpy.dot(column.ravel(), upstream.ravel()))
    return numpy.reshape(found, at.shape)
