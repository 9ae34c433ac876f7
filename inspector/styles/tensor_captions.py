"""What a function of tensors does with its gradient, as facts that captions put in words.

Every fact is checked against the numbers of the graph; None where it does not hold or is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

import numpy
from msgspec import Struct

from inspector.graph import Graph
from inspector.graph.elements import elements_of
from inspector.graph.node_names import op_of
from inspector.graph.row_types import FunctionRow
from inspector.graph.topology import topology_of
from inspector.graph.values import Value, is_summary
from inspector.styles.value_text import AGREEMENT

if TYPE_CHECKING:
    import numpy.typing

Array: TypeAlias = "numpy.typing.NDArray[numpy.float64]"

_BROADCASTS = ("add", "sub", "rsub", "mul", "div", "pow", "maximum", "minimum", "where", "addmm")
"""Ops whose operands are broadcast to the shape of the output; of addmm the first."""
_SUMS = {"sum": 1, "mean": 0}


class ReducedDimensions(Struct, frozen=True):
    """A sum or a mean over some dimensions. count: the numbers that a mean divides by; 0 for a sum."""

    dimensions: tuple[int, ...]
    rank: int
    count: int


def reduction(node: FunctionRow, gradient: Value) -> ReducedDimensions | None:
    """The sum or mean over dimensions that a function is. gradient: of its input, which must bear that out."""
    op = op_of(node["name"])
    base, _, overload = op.partition(".")
    attributes = node["attributes"]
    sides, given = attributes.get("self_sym_sizes"), attributes.get("dim")
    if base not in _SUMS or not overload or not _are_numbers(sides) or not _are_numbers(given):
        return None
    rank = len(sides)
    dimensions = tuple(sorted({int(number) % rank for number in given} if given and rank else range(rank)))
    divisor = 1 if _SUMS[base] else int(numpy.prod([sides[number] for number in dimensions]))
    arrived, handed = array_of(node["gradient"]), array_of(gradient)
    if arrived is None or handed is None or handed.shape != tuple(sides) or len(dimensions) == rank or not divisor:
        return None
    kept = arrived if attributes.get("keepdim") else numpy.expand_dims(arrived, dimensions)
    if not _agree(numpy.broadcast_to(kept, handed.shape) / divisor, handed):
        return None
    return ReducedDimensions(dimensions, rank, 0 if _SUMS[base] else divisor)


def broadcast_dimensions(graph: Graph, identifier: str, place: int, operand: Sequence[int]) -> tuple[int, ...]:
    """The dimensions of the output along which an operand was repeated. place: of the operand in its op."""
    op = op_of(graph.function(identifier)["name"]).partition(".")[0]
    output = shape_of(graph, identifier, 0)
    if op not in _BROADCASTS or output is None or (op == "addmm" and place != 0):
        return ()
    sides = [1] * (len(output) - len(operand)) + list(operand)
    return tuple(at for at, (own, whole) in enumerate(zip(sides, output, strict=False)) if own == 1 != whole)


def passed_count(gradient: Value, arrived: Value) -> tuple[int, int] | None:
    """How many numbers that arrived go on unchanged, and of how many, if all others become 0. None if one that
    arrived is 0 itself: it says nothing."""
    handed, came = array_of(gradient), array_of(arrived)
    if handed is None or came is None or handed.shape != came.shape or handed.size < 2 or not came.all():
        return None
    goes_on = handed != 0
    if not _agree(handed[goes_on], came[goes_on]) or goes_on.all():
        return None
    return int(goes_on.sum()), handed.size


def shape_of(graph: Graph, identifier: str, output: int) -> list[int] | None:
    """The shape of an output of a function, if it is known."""
    tensor = topology_of(graph).outputs.get((identifier, output))
    if tensor is not None:
        return list(graph.tensor(tensor)["shape"])
    gradient = graph.function(identifier)["gradient"]
    if is_summary(gradient):
        return list(gradient["shape"])
    found = array_of(gradient)
    return None if found is None else list(found.shape)


def array_of(value: Value) -> Array | None:
    """A value of which all elements are known as an array; None for others, and for complex numbers."""
    elements = elements_of(value)
    if elements is not None and is_summary(value):
        return numpy.array(elements).reshape(value["shape"])
    if not isinstance(value, list | int | float):
        return None
    try:
        return numpy.array(value, dtype=numpy.float64)
    except (TypeError, ValueError):
        return None


def _are_numbers(value: object) -> TypeGuard[Sequence[int]]:
    return isinstance(value, list | tuple) and all(isinstance(item, int) for item in value)


def _agree(one: Array, other: Array) -> bool:
    return bool(numpy.allclose(one, other, rtol=AGREEMENT, atol=0.0, equal_nan=True))
