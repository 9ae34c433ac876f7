"""The local derivative on each edge between small tensors: `{"symbol": "2*x", "value": 4.0}`.

The tables give the expected derivative. It is kept only if, multiplied by the upstream gradient, it equals the
gradient measured on the edge. If the tables have no entry, or a different value (a hook, a kink, a custom
Function), an edge between scalars gets the measured ratio and no symbol.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy
from msgspec import Struct

from inspector.derivatives.computed_values import add_computed_values
from inspector.derivatives.elementary import find_elementary, find_reduction, keeps_elements
from inspector.derivatives.forward_reconstruction import ForwardReconstruction
from inspector.derivatives.matrix_forms import add_matrix_forms
from inspector.derivatives.small_tensor import ROUNDING, SmallTensor, small_tensor, values_agree
from inspector.derivatives.textbook_forms import add_textbook_forms
from inspector.derivatives.total_derivative import add_totals
from inspector.graph import Graph
from inspector.graph.row_types import FunctionRow, NextEdge
from inspector.graph.topology import topology_of

if TYPE_CHECKING:
    from inspector.derivatives.symbol_table import SymbolTable

MOST_EDGES = 300
"""Maximum edges with symbols; more would be unreadable, and each takes sympy half a millisecond."""


class _EdgeDerivative(Struct):
    """An edge between small tensors. expression: its derivative in sympy, if it agrees with the measurement."""

    function: str
    attributes: NextEdge
    upstream: SmallTensor
    gradient: SmallTensor
    expression: Any = None


def add_local_derivatives(graph: Graph) -> None:
    """Set `local` on `next` edges between small tensors, and `derivative` on the scalar leaves of a small graph.

    A tensor without a name whose expression is long is called v1, v2, … in the symbols; its function then has
    `alias`, `{"name": "v1", "expression": "x*y + exp(x)"}`. Also set `matrix`, `closed_form` and `computed`.
    """
    if len(topology_of(graph).edges) <= MOST_EDGES:
        _add_symbols(graph)
        forward = ForwardReconstruction(graph)
        add_computed_values(forward)
        add_matrix_forms(forward)
        add_textbook_forms(forward)


def may_have_symbols(graph: Graph) -> bool:
    """Whether `add_local_derivatives` needs sympy for a graph."""
    return len(topology_of(graph).edges) <= MOST_EDGES and _any_entry(graph, list(_small_edges(graph)))


def _any_entry(graph: Graph, edges: list[_EdgeDerivative]) -> bool:
    return any(_entry(graph.function(edge.function), edge) for edge in edges)


def _add_symbols(graph: Graph) -> None:
    edges = list(_small_edges(graph))
    if not edges:
        return
    if not _any_entry(graph, edges):
        _write_ratios(edges)
        return
    from inspector.derivatives.symbol_table import (  # imports sympy, which most graphs do not need
        SymbolTable,
        brackets_kept,
    )

    forward = ForwardReconstruction(graph)
    with brackets_kept():
        symbols = SymbolTable(forward)
        for edge in edges:
            edge.expression = _agreeing(symbols, forward, edge)
        _write_symbols(symbols, edges)
        add_totals(forward)


def _small_edges(graph: Graph) -> Iterator[_EdgeDerivative]:
    """The edges with a small real gradient whose function received one, too."""
    for source, _, edge in graph.edges("next"):
        gradient, upstream = small_tensor(edge["gradient"]), small_tensor(graph[source]["gradient"])
        if gradient is not None and upstream is not None and _fit(gradient, upstream):
            yield _EdgeDerivative(source, edge, upstream, gradient)


def _fit(gradient: SmallTensor, upstream: SmallTensor) -> bool:
    """Whether the edge is elementwise, or goes from a single number to the tensor it was computed from."""
    return gradient.size > 0 and upstream.shape in (gradient.shape, ())


def _agreeing(symbols: SymbolTable, forward: ForwardReconstruction, edge: _EdgeDerivative) -> Any:
    """The derivative from the tables, if it equals the measured one."""
    from inspector.derivatives.symbol_table import number_at

    entry = _entry(forward.function(edge.function), edge)
    if entry is None:
        return None
    name, text = entry
    expression = symbols.derivative(edge.function, name, forward.at_kink(edge.function).get(name, text))
    if expression is None:
        return None
    local = number_at(expression, symbols.values)
    return expression if _explains(local, edge) else None


def _entry(function: FunctionRow, edge: _EdgeDerivative) -> tuple[str, str] | None:
    """(input, text of its derivative) from the tables; None if they have no entry for the edge."""
    if edge.upstream.shape == edge.gradient.shape and keeps_elements(function, edge.gradient.shape):
        return "self", "1"
    elementary, reduction = find_elementary(function), find_reduction(function)
    # An elementwise rule does not apply to an input that was broadcast: its gradient is a sum.
    entry = elementary if edge.upstream.shape == edge.gradient.shape and elementary else reduction
    slot = edge.attributes["slot"]
    if entry is None or slot >= len(entry.derivatives):
        return None
    name = list(entry.derivatives)[slot]
    return name, entry.derivatives[name]


def _explains(local: SmallTensor, edge: _EdgeDerivative) -> bool:
    """Whether local times upstream is the gradient of the edge, element by element."""
    if local.shape not in (edge.gradient.shape, ()):
        return False
    columns = numpy.broadcast_arrays(local, edge.upstream, edge.gradient)
    return all(
        values_agree(factor * upstream, gradient, ROUNDING)
        for factor, upstream, gradient in zip(*(column.ravel().tolist() for column in columns), strict=True)
    )


def _write_symbols(symbols: SymbolTable, edges: list[_EdgeDerivative]) -> None:
    from inspector.derivatives.expression_printer import print_expression
    from inspector.derivatives.symbol_table import number_at

    names = symbols.names([edge.expression for edge in edges if edge.expression is not None])
    for edge in edges:
        if edge.expression is not None:
            value = numpy.broadcast_to(number_at(edge.expression, symbols.values), edge.gradient.shape)
            text = print_expression(edge.expression, names)
            edge.attributes["local"] = {"symbol": text, "value": value.tolist()}
    _write_ratios([edge for edge in edges if edge.expression is None])
    symbols.define(names)


def _write_ratios(edges: list[_EdgeDerivative]) -> None:
    for edge in edges:
        ratio = _ratio(edge)
        if ratio is not None:
            edge.attributes["local"] = {"symbol": None, "value": ratio}


def _ratio(edge: _EdgeDerivative) -> float | None:
    """The measured derivative of an edge between scalars; None if the upstream gradient is 0 or not finite."""
    if edge.gradient.shape or edge.upstream.shape or not edge.upstream.item():
        return None
    ratio = edge.gradient.item() / edge.upstream.item()
    return ratio if math.isfinite(ratio) else None
