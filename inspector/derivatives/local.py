"""The local derivative of each edge between scalars: `{"symbol": "2*x", "value": 4.0}`.

Sympy differentiates the forward of the function; the numbers come from the graph. A derivative is kept only if
it, times what came from upstream, is the gradient that was measured on the edge.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import networkx

from inspector.derivatives.elementary import ELEMENTARY, OPERANDS, Elementary

TOLERANCE = 1e-6
"""Relative; a few units in the last place of a float32 (1.2e-7)."""

MOST_EDGES = 300
"""A figure with more symbols is read by nobody, and each costs sympy a millisecond."""


def add_local_derivatives(network: networkx.MultiDiGraph) -> None:
    """Set `local` on every `next` edge between scalars whose derivative is elementary and agrees with torch."""
    edges = list(_scalar_edges(network))
    if not edges or len(edges) > MOST_EDGES:
        return
    tensors = _tensors_by_output(network)
    for source, edge in edges:
        local = _local(network, tensors, source, edge)
        if local is not None:
            edge["local"] = local


def _scalar_edges(network: networkx.MultiDiGraph) -> Iterator[tuple[str, dict[str, Any]]]:
    """(source, attributes) of the edges with a number on them, out of functions with a number arriving."""
    for source, _, edge in network.edges(data=True):
        if edge["kind"] == "next" and _is_real(edge["gradient"]):
            function = network.nodes[source]
            if function["name"] in ELEMENTARY and _is_real(function["gradient"]):
                yield source, edge


def _is_real(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _tensors_by_output(network: networkx.MultiDiGraph) -> dict[tuple[str, int], str]:
    """(function, output number) -> the tensor it made; for an AccumulateGrad its leaf."""
    found = {}
    for source, target, edge in network.edges(data=True):
        if edge["kind"] == "grad_fn":
            found[target, network.nodes[source].get("output_nr", 0)] = source
        elif edge["kind"] == "accumulate":
            found[source, 0] = target
    return found


def _local(
    network: networkx.MultiDiGraph, tensors: dict[tuple[str, int], str], source: str, edge: dict[str, Any]
) -> dict[str, Any] | None:
    function = network.nodes[source]
    elementary = ELEMENTARY[function["name"]]
    if edge["slot"] >= len(elementary.inputs):
        return None
    operands = _operands(network, tensors, source, elementary)
    derivative = _derivative(function["name"], elementary.inputs[edge["slot"]])
    found = _evaluate(derivative, operands)
    if found is None:
        return None
    symbol, value = found
    product = value * function["gradient"]
    return {"symbol": symbol, "value": value} if _agree(product, edge["gradient"]) else None


Operand = tuple[str | None, Any]
"""The text of an operand (None for a plain number) and its value."""


def _operands(
    network: networkx.MultiDiGraph, tensors: dict[tuple[str, int], str], source: str, elementary: Elementary
) -> dict[str, Operand]:
    """What each name in the expression stands for: a tensor of the graph, a saved constant, an attribute."""
    function = network.nodes[source]
    operands: dict[str, Operand] = {name: (None, value) for name, value in elementary.defaults.items()}
    operands |= {name: (None, value) for name, value in function["attributes"].items() if _is_real(value)}
    for saved in function["saved"]:
        if saved["tensor"] is not None:
            operands[saved["name"]] = _tensor_operand(network, saved["tensor"])
    for _, target, edge in network.out_edges(source, data=True):
        if edge["kind"] == "next" and edge["slot"] < len(elementary.inputs):
            name, tensor = elementary.inputs[edge["slot"]], tensors.get((target, edge["input_nr"]))
            if tensor is not None:
                operands[name] = _tensor_operand(network, tensor)
    return operands


def _tensor_operand(network: networkx.MultiDiGraph, identifier: str) -> Operand:
    tensor = network.nodes[identifier]
    name = tensor["name"] or (f"({tensor['expression']})" if tensor.get("expression") else None)
    if name is None and tensor["requires_grad"]:
        name = identifier
    return name, tensor["before"]["data"]


@functools.cache
def _derivative(function: str, name: str) -> Any:
    import sympy

    symbols = {letter: sympy.Symbol(letter, real=True) for letter in OPERANDS}
    return sympy.diff(sympy.sympify(ELEMENTARY[function].expression, locals=symbols), symbols[name])


def _evaluate(derivative: Any, operands: dict[str, Operand]) -> tuple[str, float] | None:
    """(symbol, number) of a derivative at its operands; None where one of them is not known as a number."""
    import sympy

    numbers, symbols = {}, {}
    for symbol in derivative.free_symbols:
        text, value = operands.get(str(symbol), (None, None))
        if not _is_real(value):
            return None
        numbers[symbol] = value
        symbols[symbol] = _exact(value) if text is None else sympy.Symbol(text, real=True)
    try:
        value = float(derivative.subs(numbers))
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):  # complex, or no number at all
        return None
    return _text(derivative.subs(symbols), value), value


def _exact(value: float) -> Any:
    """A constant as the script wrote it: 3, not 3.0."""
    import sympy

    is_whole = math.isfinite(value) and value == int(value)
    return sympy.Integer(int(value)) if is_whole else sympy.Float(value, 6)


def _text(symbol: Any, value: float) -> str:
    """A kink's derivative (sign, Heaviside) is a number wherever there is one; anything else is written out."""
    import sympy

    if symbol.has(sympy.Heaviside, sympy.sign, sympy.Derivative, sympy.Piecewise) or not symbol.free_symbols:
        return f"{value:.6g}"
    return str(sympy.simplify(symbol)) if symbol.count_ops() > 8 else str(symbol)


def _agree(product: float, gradient: float) -> bool:
    if math.isnan(gradient) or math.isnan(product):
        return False
    return product == gradient or abs(product - gradient) <= TOLERANCE * max(abs(product), abs(gradient))
