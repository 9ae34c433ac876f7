"""The operands of a function as arrays, each with what one calls it in a formula of matrices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

from msgspec import Struct

from inspector.derivatives.forward_reconstruction import ForwardReconstruction
from inspector.derivatives.small_tensor import SmallTensor, full_tensor
from inspector.graph.row_types import Constant, NextEdge, TensorRow
from inspector.graph.tensor_names import numbered_name
from inspector.graph.topology import Pair

_LONGEST = 24
"""Maximum number of characters of a source text that stands for a tensor without a name."""

_TRANSPOSED = re.compile(r"\.(?:T|mT|t\(\))$")
"""The end of a source text of a transposed matrix."""

_ATOM = re.compile(r"[\w.]+(\([^()]*\)|\[[^][]*\])?|\([^()]*\)")
"""A text that needs no brackets: a name, a call, an element, or what has brackets."""


class MatrixOperand(Struct, frozen=True):
    """One operand, or the result, of a function. label: None if it has no short name."""

    label: str | None
    array: SmallTensor

    @property
    def factor(self) -> str | None:
        """The label as a factor: in brackets if it is an expression."""
        if self.label is None:
            return None
        return self.label if _ATOM.fullmatch(self.label) else f"({self.label})"

    @property
    def transposed(self) -> str | None:
        """The label with a T, or without the one it has."""
        if self.factor is None or self.factor.endswith("ᵀ"):
            return None if self.factor is None else self.factor[:-1]
        return f"{self.factor}ᵀ"


class MatrixOperands:
    """Finds the operands of the functions of one graph."""

    def __init__(self, forward: ForwardReconstruction) -> None:
        self._forward = forward

    def slots(self, function: str) -> Iterator[tuple[int, NextEdge]]:
        """(position of the operand, edge) of each edge."""
        positions = self._forward.function(function).get("slot_positions")
        for _, edge in self._forward.edges(function):
            yield (edge["slot"] if positions is None else positions[edge["slot"]]), edge

    def of(self, function: str) -> dict[int, MatrixOperand]:
        """The operands by position, as far as their values are known."""
        row = self._forward.function(function)
        found: dict[int, MatrixOperand] = {}
        positions = row.get("slot_positions")
        for target, edge in self._forward.edges(function):
            position = edge["slot"] if positions is None else positions[edge["slot"]]
            operand = self.tensor((target, edge["input_nr"]))
            if operand is not None:
                found[position] = operand
        for constant in row.get("constants", []):
            array = full_tensor(constant["value"])
            if array is not None:
                found[constant["position"]] = MatrixOperand(_constant_label(constant), array)
        return found

    def tensor(self, pair: Pair) -> MatrixOperand | None:
        """A tensor of the forward; None if its value is not known."""
        row, array = self._forward.tensor(pair), self._forward.value(pair)
        if array is None and row is not None:
            array = full_tensor(row["before"]["data"])
        if array is None:
            return None
        return MatrixOperand(None if row is None else _label(row), array)


def _label(row: TensorRow) -> str | None:
    text = numbered_name(row) or row.get("expression")
    return _TRANSPOSED.sub("ᵀ", text) if text is not None and (row["name"] or len(text) <= _LONGEST) else None


def _constant_label(constant: Constant) -> str | None:
    name = numbered_name(constant) or constant.get("expression")
    if name is not None:
        return _TRANSPOSED.sub("ᵀ", name) if constant["name"] or len(name) <= _LONGEST else None
    value = constant["value"]
    return number_text(float(cast(float, value))) if isinstance(value, (int, float)) else None


def number_text(number: float) -> str:
    """`0.5`, `-2`."""
    return f"{number:.6g}"
