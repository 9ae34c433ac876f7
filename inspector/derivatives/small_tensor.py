"""Small tensors in plain Python: a shape and a flat tuple of elements. Nine numbers do not need numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inspector.graph.values import Value

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SmallTensor:
    """A tensor: its shape, and its elements in row-major order."""

    shape: Shape
    items: tuple[float, ...]

    @property
    def value(self) -> Value:
        """The tensor as the model holds it: a number or nested lists."""
        return nested(self.shape, self.items)


def scalar(number: float) -> SmallTensor:
    """A tensor without dimensions."""
    return SmallTensor((), (number,))


def small_tensor(value: Value) -> SmallTensor | None:
    """A value of the model that is held in full; None for a summary, None, complex and unknown values."""
    if isinstance(value, (bool, int, float)):
        return scalar(float(value))
    if not isinstance(value, list):
        return None
    parts = [small_tensor(item) for item in value]
    if any(part is None for part in parts) or len({part.shape for part in parts if part}) > 1:
        return None
    held = [part for part in parts if part is not None]
    inner = held[0].shape if held else ()
    return SmallTensor((len(held), *inner), tuple(item for part in held for item in part.items))


def nested(shape: Shape, items: Sequence[float]) -> Value:
    """Nested lists of this shape; one number for an empty shape."""
    if not shape:
        return items[0]
    step = math.prod(shape[1:])
    return [nested(shape[1:], items[start * step : (start + 1) * step]) for start in range(shape[0])]


def elementwise(function: Callable[..., float], operands: dict[str, SmallTensor]) -> SmallTensor | None:
    """`function` of each element, operands without dimensions repeated; None where shapes differ otherwise.

    function: takes the operands by keyword. An error of arithmetic (0/0, log of -1) gives NaN.
    """
    shapes = {operand.shape for operand in operands.values() if operand.shape}
    if len(shapes) > 1:
        return None
    shape: Shape = shapes.pop() if shapes else ()
    items = []
    for position in range(math.prod(shape)):
        at = {name: item.items[position if item.shape else 0] for name, item in operands.items()}
        items.append(number_or_nan(function, at))
    return SmallTensor(shape, tuple(items))


def number_or_nan(function: Callable[..., float], operands: dict[str, float]) -> float:
    """One real number; NaN for what is none (complex, out of the domain, too large)."""
    try:
        result = function(**operands)
    except (ArithmeticError, ValueError):
        return math.nan
    return float(result) if isinstance(result, (int, float)) else math.nan


def values_agree(computed: float, measured: float, tolerance: float) -> bool:
    """Whether two numbers are equal, or differ by at most `tolerance` relative to the larger."""
    if computed == measured:
        return True
    return abs(computed - measured) <= tolerance * max(abs(computed), abs(measured))  # False for NaN
