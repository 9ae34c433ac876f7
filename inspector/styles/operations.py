# ruff: noqa: RUF001, RUF002 (the signs are those of figures)
"""The operations of functions in mathematical notation: `×`, `^2`, `{0}·{1}`. No torch needed."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from inspector.graph import Graph
from inspector.graph.node_names import op_of
from inspector.graph.topology import topology_of
from inspector.graph.values import is_number
from inspector.styles.operands import operands_of
from inspector.styles.operation_names import spoken_name
from inspector.styles.source_text import constant_name
from inspector.styles.value_text import superscript
from inspector.typography import format_number
from inspector.typography.formula_format import is_sum
from inspector.typography.number_format import MINUS


class Operation(Struct, frozen=True):
    """An operation. symbol: for a gate, including a constant. formula: with `{0}`, `{1}`, … for the input tensors.

    constant: the number in the symbol, or None. computed: whether it was computed from the input and output,
    because torch does not save it.
    """

    symbol: str
    formula: str
    constant: float | None = None
    computed: bool = False


_OF_TENSORS: dict[str, tuple[str, str]] = {
    "add": ("+", "{0} + {1}"),
    "sub": (MINUS, "{0} " + MINUS + " {1}"),
    "rsub": (MINUS, "{1} " + MINUS + " {0}"),
    "mul": ("×", "{0}·{1}"),
    "div": ("÷", "{0} / {1}"),
    "pow.Tensor_Tensor": ("^", "{0}^{1}"),
    "maximum": ("max", "max({0}, {1})"),
    "minimum": ("min", "min({0}, {1})"),
    "mm": ("·", "{0} · {1}"),
    "mv": ("·", "{0} · {1}"),
    "dot": ("·", "{0} · {1}"),
}
_OF_ONE: dict[str, tuple[str, str]] = {
    "neg": ("×" + MINUS + "1", MINUS + "{0}"),
    "reciprocal": ("1/x", "1 / {0}"),
    "exp": ("exp", "exp({0})"),
    "log": ("log", "log({0})"),
    "sin": ("sin", "sin({0})"),
    "cos": ("cos", "cos({0})"),
    "tan": ("tan", "tan({0})"),
    "tanh": ("tanh", "tanh({0})"),
    "sigmoid": ("σ", "σ({0})"),
    "relu": ("relu", "relu({0})"),
    "sqrt": ("√", "√{0}"),
    "abs": ("|x|", "|{0}|"),
    "sum": ("Σ", "Σ {0}"),
    "t": ("ᵀ", "{0}ᵀ"),
    "transpose": ("ᵀ", "{0}ᵀ"),
}
_WITH_CONSTANT: dict[str, tuple[str, str]] = {
    "mul": ("×{c}", "{c}·{0}"),
    "div": ("÷{c}", "{0} / {c}"),
    "mul.Scalar": ("×{c}", "{c}·{0}"),
    "div.Scalar": ("÷{c}", "{0} / {c}"),
    "add": ("+{c}", "{0} + {c}"),
    "sub": (MINUS + "{c}", "{0} " + MINUS + " {c}"),
    "rsub.Scalar": ("{c}" + MINUS + "x", "{c} " + MINUS + " {0}"),
    "pow.Tensor_Scalar": ("^{c}", "{0}{power}"),
    "pow.Scalar": ("{c}^x", "{c}^{0}"),
}
_OF_THREE = dict.fromkeys(("addmm", "addmv", "baddbmm"), ("· +", (1, 2, 0), "{} · {} + {}"))
"""Symbol, the order of the operands in the formula, and the formula."""
_OPPOSITES = {"add": "sub", "sub": "add"}


def operation(graph: Graph, identifier: str) -> Operation:
    """The operation of the function with this id."""
    node = graph.function(identifier)
    op = op_of(node["name"])
    inputs = inputs_of(graph, identifier)
    if node["attributes"].get("alpha", 1) != 1:
        return _by_name(node["name"], len(inputs))
    if len(inputs) == 1 and op in _OF_TENSORS and (found := _of_named(graph, identifier)):
        return found
    if op in _OF_THREE:
        return _of_three(graph, identifier) or _by_name(node["name"], len(inputs))
    if len(inputs) == 2 and op in _OF_TENSORS:
        return Operation(*_OF_TENSORS[op])
    if len(inputs) == 1 and op in _WITH_CONSTANT:
        return _with_constant(graph, identifier, inputs[0])
    if len(inputs) == 1 and op in _OF_ONE:
        return Operation(*_OF_ONE[op])
    return _with_names(graph, identifier, _by_name(node["name"], len(inputs)))


def _of_named(graph: Graph, identifier: str) -> Operation | None:
    """An operation of two operands of which one is a constant: with its name, or with its number in `1 - y`."""
    operands = operands_of(graph, identifier)
    constants = [operand.constant for operand in operands if operand.constant is not None]
    op = op_of(graph.function(identifier)["name"])
    if len(operands) != 2 or len(constants) != 1 or [operand.position for operand in operands] != [0, 1]:
        return None
    name, value = constant_name(constants[0]), constants[0]["value"]
    if not name and (op in _WITH_CONSTANT or not is_number(value)):
        return None
    text = f"({name})" if is_sum(name) else name or format_number(value)
    symbol, formula = _OF_TENSORS[op]
    places = [text if operand.constant is not None else "{0}" for operand in operands]
    formula = re.sub(r"\{(\d)\}", lambda found: places[int(found[1])], formula)
    return Operation(symbol if name else formula.replace("{0}", "").strip(), formula)


def _of_three(graph: Graph, identifier: str) -> Operation | None:
    """`x · W + b`; None if an operand is not known."""
    symbol, order, formula = _OF_THREE[op_of(graph.function(identifier)["name"])]
    slots = iter(range(3))
    texts = {
        operand.position: f"{{{next(slots)}}}" if operand.constant is None else constant_name(operand.constant)
        for operand in operands_of(graph, identifier)
    }
    return Operation(symbol, formula.format(*map(texts.get, order))) if all(map(texts.get, range(3))) else None


def inputs_of(graph: Graph, identifier: str) -> list[str]:
    """The functions that a function's gradients go to, by slot; AccumulateGrad stands for a leaf."""
    of = topology_of(graph)
    return [of.ids[target] for target in of.following(of.index[identifier])]


def _by_name(name: str, inputs: int) -> Operation:
    """`StackBackward0` as stack({0}, {1}), `NativeLayerNormBackward0` as layer_norm({0}, {1}, {2})."""
    symbol = spoken_name(name)
    if "x" in symbol and not symbol.isascii():
        return Operation(symbol, symbol.replace("x", "{0}"))
    shown = symbol.replace(" ", "_")
    return Operation(symbol, f"{shown}({', '.join(f'{{{slot}}}' for slot in range(inputs))})")


def _with_names(graph: Graph, identifier: str, found: Operation) -> Operation:
    """A call with the constants that have a name or a source text: `conv(x, {0})`."""
    operands = operands_of(graph, identifier)
    names = [constant_name(operand.constant) for operand in operands if operand.constant is not None]
    called, bracket, _ = found.formula.partition("(")
    slots = sorted(operand.edge["slot"] for operand in operands if operand.edge)
    if not any(names) or not bracket or len(slots) != len(inputs_of(graph, identifier)):
        return found
    texts = [
        f"{{{slots.index(operand.edge['slot'])}}}" if operand.edge else constant_name(operand.constant or {})
        for operand in operands
    ]
    return Operation(found.symbol, f"{called}({', '.join(filter(None, texts))})")


def _with_constant(graph: Graph, identifier: str, source: str) -> Operation:
    name = graph.function(identifier)["name"]
    op = op_of(name)
    saved = _saved_constant(graph, identifier)
    constant = _computed_constant(graph, identifier, source) if saved is None else saved
    if constant is None:
        symbol, _ = _OF_TENSORS.get(op, (_by_name(name, 1).symbol, ""))
        return Operation(symbol, _by_name(name, 1).formula)
    shown, power = constant, superscript(constant)
    if constant < 0 and op in _OPPOSITES:
        op, shown = _OPPOSITES[op], -constant
    symbol, formula = _WITH_CONSTANT[op]
    symbol = symbol.replace("{c}", format_number(shown))
    formula = formula.replace("{c}", format_number(shown)).replace("{power}", power)
    return Operation(symbol, formula, constant, saved is None)


def _saved_constant(graph: Graph, identifier: str) -> float | None:
    """A number that a function saved and that is not part of the graph."""
    node = graph.function(identifier)
    for name in ("exponent", "other"):
        if is_number(node["attributes"].get(name)):
            return _real(node["attributes"][name])
    makers = topology_of(graph).makers
    for saved in node["saved"]:
        tensor = saved["tensor"]
        if tensor is not None and tensor in graph.rows and tensor not in makers:
            return _real(graph[tensor]["before"]["data"])
    return None


def _computed_constant(graph: Graph, identifier: str, source: str) -> float | None:
    """The constant of a sum, from the input and the output."""
    out, entered = (_real(graph[key]["before"]["data"]) for key in (identifier, source))
    if out is None or entered is None:
        return None
    found = {
        "add": out - entered,
        "sub": entered - out,
        "rsub.Scalar": out + entered,
    }.get(op_of(graph.function(identifier)["name"]))
    # Input and output are rounded, so further digits are noise.
    return None if found is None else float(f"{found:.6g}")


def _real(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
