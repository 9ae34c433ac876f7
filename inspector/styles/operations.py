# ruff: noqa: RUF001, RUF002 (the signs are those of figures)
"""The operations of functions in mathematical notation: `×`, `^2`, `{0}·{1}`. No torch needed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from inspector.graph import Graph
from inspector.graph.values import is_number
from inspector.styles.value_text import function_name, superscript
from inspector.typography import format_number
from inspector.typography.number_format import MINUS

ACCUMULATE_GRAD = "AccumulateGrad"
_ENDING = re.compile(r"Backward$")


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation. symbol: for a gate, including a constant. formula: with `{0}`, `{1}`, … for the input tensors.

    constant: the number in the symbol, or None. computed: whether it was computed from the input and output,
    because torch does not save it.
    """

    symbol: str
    formula: str
    constant: float | None = None
    computed: bool = False


_OF_TENSORS: dict[str, tuple[str, str]] = {
    "AddBackward0": ("+", "{0} + {1}"),
    "SubBackward0": (MINUS, "{0} " + MINUS + " {1}"),
    "RsubBackward0": (MINUS, "{1} " + MINUS + " {0}"),
    "MulBackward0": ("×", "{0}·{1}"),
    "DivBackward0": ("÷", "{0} / {1}"),
    "PowBackward1": ("^", "{0}^{1}"),
    "MaximumBackward0": ("max", "max({0}, {1})"),
    "MinimumBackward0": ("min", "min({0}, {1})"),
    "MmBackward0": ("@", "{0} @ {1}"),
    "MvBackward0": ("@", "{0} @ {1}"),
    "DotBackward0": ("@", "{0} @ {1}"),
}
_OF_ONE: dict[str, tuple[str, str]] = {
    "NegBackward0": ("×" + MINUS + "1", MINUS + "{0}"),
    "ReciprocalBackward0": ("1/x", "1 / {0}"),
    "ExpBackward0": ("exp", "exp({0})"),
    "LogBackward0": ("log", "log({0})"),
    "SinBackward0": ("sin", "sin({0})"),
    "CosBackward0": ("cos", "cos({0})"),
    "TanBackward0": ("tan", "tan({0})"),
    "TanhBackward0": ("tanh", "tanh({0})"),
    "SigmoidBackward0": ("σ", "σ({0})"),
    "ReluBackward0": ("relu", "relu({0})"),
    "SqrtBackward0": ("√", "√{0}"),
    "AbsBackward0": ("|x|", "|{0}|"),
    "SumBackward0": ("Σ", "Σ {0}"),
}
_WITH_CONSTANT: dict[str, tuple[str, str]] = {
    "MulBackward0": ("×{c}", "{c}·{0}"),
    "DivBackward0": ("÷{c}", "{0} / {c}"),
    "AddBackward0": ("+{c}", "{0} + {c}"),
    "SubBackward0": (MINUS + "{c}", "{0} " + MINUS + " {c}"),
    "RsubBackward1": ("{c}" + MINUS + "x", "{c} " + MINUS + " {0}"),
    "PowBackward0": ("^{c}", "{0}{power}"),
    "PowBackward2": ("{c}^x", "{c}^{0}"),
}
_OPPOSITES = {"AddBackward0": "SubBackward0", "SubBackward0": "AddBackward0"}


def operation(graph: Graph, identifier: str) -> Operation:
    """The operation of the function with this id."""
    node = graph.function(identifier)
    name = node["name"]
    inputs = inputs_of(graph, identifier)
    if node["attributes"].get("alpha", 1) != 1:
        return _by_name(name, len(inputs))
    if len(inputs) == 2 and name in _OF_TENSORS:
        return Operation(*_OF_TENSORS[name])
    if len(inputs) == 1 and name in _WITH_CONSTANT:
        return _with_constant(graph, identifier, inputs[0])
    if len(inputs) == 1 and name in _OF_ONE:
        return Operation(*_OF_ONE[name])
    return _by_name(name, len(inputs))


def inputs_of(graph: Graph, identifier: str) -> list[str]:
    """The functions that a function's gradients go to, by slot; AccumulateGrad stands for a leaf."""
    leaving = graph.network.out_edges(identifier, data=True)
    edges = [(edge["slot"], target) for _, target, edge in leaving if edge["kind"] == "next"]
    return [target for _, target in sorted(edges)]


def _by_name(name: str, inputs: int) -> Operation:
    """`StackBackward0` as stack({0}, {1}): in lower case, like the function that the script called."""
    shown = _ENDING.sub("", function_name(name))
    shown = shown[:1].lower() + shown[1:]
    return Operation(shown, f"{shown}({', '.join(f'{{{slot}}}' for slot in range(inputs))})")


def _with_constant(graph: Graph, identifier: str, source: str) -> Operation:
    name = graph.function(identifier)["name"]
    saved = _saved_constant(graph, identifier)
    constant = _computed_constant(graph, identifier, source) if saved is None else saved
    if constant is None:
        symbol, _ = _OF_TENSORS.get(name, (_by_name(name, 1).symbol, ""))
        return Operation(symbol, _by_name(name, 1).formula)
    shown, power = constant, superscript(constant)
    if constant < 0 and name in _OPPOSITES:
        name, shown = _OPPOSITES[name], -constant
    symbol, formula = _WITH_CONSTANT[name]
    symbol = symbol.replace("{c}", format_number(shown))
    formula = formula.replace("{c}", format_number(shown)).replace("{power}", power)
    return Operation(symbol, formula, constant, saved is None)


def _saved_constant(graph: Graph, identifier: str) -> float | None:
    """A number that a function saved and that does not require a gradient."""
    node = graph.function(identifier)
    if is_number(node["attributes"].get("exponent")):
        return _real(node["attributes"]["exponent"])
    for saved in node["saved"]:
        tensor = saved["tensor"]
        if tensor is not None and tensor in graph.network and not graph[tensor]["requires_grad"]:
            return _real(graph[tensor]["before"]["data"])
    return None


def _computed_constant(graph: Graph, identifier: str, source: str) -> float | None:
    """The constant of a sum, from the input and the output."""
    out, entered = (_real(graph[key]["before"]["data"]) for key in (identifier, source))
    if out is None or entered is None:
        return None
    found = {
        "AddBackward0": out - entered,
        "SubBackward0": entered - out,
        "RsubBackward1": out + entered,
    }.get(graph.function(identifier)["name"])
    # Input and output are rounded, so further digits are noise.
    return None if found is None else float(f"{found:.6g}")


def _real(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
