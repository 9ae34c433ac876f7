"""Functions that rearrange or combine small tensors and are linear in each input: select, stack, product."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from inspector.derivatives.small_tensor import SmallTensor, scalar
from inspector.graph.node_kinds import KINDS, NodeKind

Linear = Callable[[list[SmallTensor], dict[str, Any], tuple[int, ...] | None], "SmallTensor | None"]
"""(inputs by slot, attributes of the function, shape of its output if that is known) → the output."""


def _reshaped(inputs: list[SmallTensor], _: dict[str, Any], shape: tuple[int, ...] | None) -> SmallTensor | None:
    (array,) = inputs
    if len(array.items) == 1 and shape is None:
        return array
    return SmallTensor(shape, array.items) if shape is not None and math.prod(shape) == len(array.items) else None


def _expanded(inputs: list[SmallTensor], _: dict[str, Any], shape: tuple[int, ...] | None) -> SmallTensor | None:
    (array,) = inputs
    if len(array.items) != 1 or shape is None:
        return None
    return SmallTensor(shape, array.items * math.prod(shape))


def _selected(
    inputs: list[SmallTensor], attributes: dict[str, Any], _: tuple[int, ...] | None
) -> SmallTensor | None:
    (array,) = inputs
    if attributes.get("dim") != 0 or not array.shape:
        return None
    size = math.prod(array.shape[1:])
    start = attributes["index"] % array.shape[0] * size
    return SmallTensor(array.shape[1:], array.items[start : start + size])


def _stacked(
    inputs: list[SmallTensor], attributes: dict[str, Any], _: tuple[int, ...] | None
) -> SmallTensor | None:
    if attributes.get("dim") != 0 or len({array.shape for array in inputs}) != 1:
        return None
    return SmallTensor((len(inputs), *inputs[0].shape), tuple(item for array in inputs for item in array.items))


def _joined(
    inputs: list[SmallTensor], attributes: dict[str, Any], _: tuple[int, ...] | None
) -> SmallTensor | None:
    if attributes.get("dim") != 0 or any(len(array.shape) != 1 for array in inputs):
        return None
    items = tuple(item for array in inputs for item in array.items)
    return SmallTensor((len(items),), items)


def _transposed(inputs: list[SmallTensor], _: dict[str, Any], __: tuple[int, ...] | None) -> SmallTensor | None:
    (array,) = inputs
    if len(array.shape) < 2:
        return array
    rows, columns = array.shape
    items = tuple(array.items[row * columns + column] for column in range(columns) for row in range(rows))
    return SmallTensor((columns, rows), items)


def _product(inputs: list[SmallTensor], _: dict[str, Any], __: tuple[int, ...] | None) -> SmallTensor | None:
    """Matrix times matrix, or matrix times vector."""
    one, other = inputs
    if len(one.shape) != 2 or not other.shape or one.shape[1] != other.shape[0]:
        return None
    (rows, inner), columns = one.shape, math.prod(other.shape[1:])
    items = tuple(
        math.fsum(one.items[row * inner + k] * other.items[k * columns + column] for k in range(inner))
        for row in range(rows)
        for column in range(columns)
    )
    return SmallTensor((rows, *other.shape[1:]), items)


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
"""By op."""

STRUCTURAL_INPUTS: dict[str, tuple[str, ...]] = {
    "mv": ("self", "vec"),
    "mm": ("self", "mat2"),
}
"""By op: names of the inputs by slot, where one of them may be a tensor without a gradient that the Node saved."""


def transposed_product(
    function: Callable[[SmallTensor], SmallTensor | None], at: SmallTensor, upstream: SmallTensor
) -> SmallTensor | None:
    """What flows back through a linear function: each element of `at` moved by one, weighed with `upstream`."""
    found = []
    for position in range(len(at.items)):
        unit = tuple(float(position == k) for k in range(len(at.items)))
        column = function(SmallTensor(at.shape, unit))
        if column is None or len(column.items) != len(upstream.items):
            return None
        found.append(math.fsum(a * b for a, b in zip(column.items, upstream.items, strict=True)))
    return SmallTensor(at.shape, tuple(found)) if found else scalar(0.0)
