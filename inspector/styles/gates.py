# ruff: noqa: RUF001, RUF002 (the signs are those of figures)
"""The sign of a gate: an operation as written by hand, with its constant numbers: `·`, `1−`, `÷√2`, `^2`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from inspector.graph import Graph
from inspector.graph.node_names import op_of
from inspector.graph.row_types import NextEdge
from inspector.graph.topology import Topology, topology_of
from inspector.graph.values import Value, is_number
from inspector.styles.grid_text import written_value
from inspector.styles.operands import Constant, Operand, operands_of
from inspector.styles.operation_names import spoken_name
from inspector.styles.operations import operation
from inspector.styles.shown_name import shown_name
from inspector.styles.source_text import constant_name
from inspector.styles.value_text import UNKNOWN
from inspector.typography import format_number
from inspector.typography.number_format import MINUS


class Gate(Struct, frozen=True):
    """A sign, and the operands beside the gate: those that are not in the sign.

    members: the functions it stands for, if several. named: the constants with a name in the sign, whose values
    stand elsewhere.
    """

    sign: str
    operands: tuple[Operand, ...]
    members: tuple[str, ...] = ()
    named: tuple[Constant, ...] = ()


FULL_DIGITS = 4
TRANSPOSE = "ᵀ"
_OF_MATRICES = ("mm", "mv", "dot", "bmm", "vdot", "matmul")
"""Products of matrices, of which a factor may stand in the sign."""
SIGNS = {
    "add": "+",
    "sub": MINUS,
    "rsub": MINUS,
    "mul": "×",
    "div": "÷",
    "pow": "^",
    "maximum": "max",
    "minimum": "min",
    **dict.fromkeys((*_OF_MATRICES, "ger"), "·"),
    "addmm": "· +",
    "addmv": "· +",
    "linear": "x Wᵀ + b",
    "neg": "×" + MINUS + "1",
    "reciprocal": "1÷",
    "sigmoid": "σ",
    "sqrt": "√",
    "rsqrt": "1÷√",
    "abs": "|x|",
    "sum": "Σ",
    **dict.fromkeys(("t", "transpose", "permute"), TRANSPOSE),
}
"""Signs by op, without the part of its name behind a dot."""
_FIRST = {"add": "{c}+", "sub": "{c}" + MINUS, "mul": "{c}×", "div": "{c}÷", "pow": "{c}^"}
_SECOND = {"add": "+{c}", "sub": MINUS + "{c}", "rsub": "{c}" + MINUS, "mul": "×{c}", "div": "÷{c}", "pow": "^{c}"}
"""Signs of operations with a number in the first and in the second place."""
_OPPOSITES = {"add": "sub", "sub": "add"}
_TAKES_ROOT = re.compile(r"sqrt|\*\* ?0?\.5")
_OF_BACKWARD = ("_backward", "_backward_data")
"""How an op ends that backward computes; the 1 from which backward starts is not drawn."""
_LONGEST_SOURCE = 8
"""Maximum characters of the source text of a number in a gate."""


def gate_of(graph: Graph, identifier: str, operands: Sequence[Operand], *, inline: bool = False) -> Gate:
    """The gate of a function. inline: whether numbers with a name stand in the gate, too."""
    node = graph.function(identifier)
    op = op_of(node["name"]).partition(".")[0]
    numbers = [one for one in operands if one.constant and _is_in_sign(op, one.constant, inline)]
    others = tuple(operand for operand in operands if operand not in numbers)
    exponent: Any = node["attributes"].get("exponent")
    if op.endswith(_OF_BACKWARD):
        others = tuple(one for one in operands if one.constant is None or one.constant["value"] != 1)
        return Gate(plain_sign(graph, identifier), others)
    if op == "pow" and is_number(exponent):
        return Gate(f"^{format_number(exponent)}", others)
    if len(numbers) == 1 and len(others) == 1 and numbers[0].constant is not None:
        sign = sign_with_constant(op, numbers[0].position, numbers[0].constant)
        if sign:
            return Gate(sign, others, named=(numbers[0].constant,) if numbers[0].constant["name"] else ())
        return Gate(plain_sign(graph, identifier), tuple(operands))
    if not numbers and len(others) == 1 and op in _SECOND:
        return Gate(operation(graph, identifier).symbol, others)  # a constant computed from input and output
    return Gate(plain_sign(graph, identifier), tuple(operands))


def whole_sign(graph: Graph, identifier: str) -> str:
    """The sign of a function with its constants: `X ·`, `×0.5`; in brackets those that it has no place for."""
    gate = gate_of(graph, identifier, operands_of(graph, identifier), inline=True)
    constants = [operand for operand in gate.operands if operand.constant is not None]
    op = op_of(graph.function(identifier)["name"]).partition(".")[0]
    if len(constants) == 1 and len(gate.operands) == 2 and constants[0].constant:
        sign = _sign_with_text(op, constants[0].position, constant_text(constants[0].constant))
        if sign:
            return sign
    texts = [constant_text(one.constant) for one in constants if one.constant]
    return f"{gate.sign} ({', '.join(texts)})" if texts else gate.sign


def constant_text(constant: Constant) -> str:
    """What a constant is called where its value has no place, or its number."""
    return constant_name(constant) or (_number(constant) if is_number(constant["value"]) else UNKNOWN)


def group_gate(graph: Graph, name: str, members: Sequence[str], *, inline: bool = False) -> Gate:
    """The gate of several functions, root first.

    Its operands are the outputs from outside, each once with the gradient that arrives from all members, and the
    constants with a name. inline: without the numbers that have one.
    """
    of = topology_of(graph)
    found: dict[object, Operand] = {}
    named = []
    for member in reversed(members):
        for operand in operands_of(graph, member):
            if operand.output is not None and operand.output[0] not in members:
                found.setdefault(
                    operand.output, replace(operand, user=members[0], edge=_joint(of, operand, members))
                )
            elif operand.constant is not None and not _is_inside(operand.constant, inline):
                constant = operand.constant
                key = constant.get("tensor") or (
                    constant["name"],
                    constant.get("expression"),
                    str(constant["value"]),
                )
                found.setdefault(key, replace(operand, user=members[0], position=len(found)))
            elif operand.constant is not None and operand.constant["name"]:
                named.append(operand.constant)
    operands = [
        replace(operand, edge={**operand.edge, "slot": slot}) if operand.edge else operand
        for slot, operand in enumerate(found.values())
    ]
    sign = name if name.startswith(("(", "…")) or "\n" in name else name.replace(" ", "\n", 1)
    return Gate(sign, tuple(operands), tuple(members), tuple(named))


def _joint(of: Topology, operand: Operand, members: Sequence[str]) -> NextEdge | None:
    """The edge, with the gradient that arrives at the output from all members; unknown if it cannot be added."""
    output, number = operand.output or ("", 0)
    position, edge = of.index[output], operand.edge
    leaving = (found for member in members for found in of.leaving(of.index[member]))
    edges = [other for target, other in leaving if target == position and other["input_nr"] == number]
    if edge is None or len(edges) == 1:
        return edge
    readers = {of.ids[reader] for reader in of.arrivals.of(position)}
    is_whole = number == 0 and readers <= set(members)
    gradient = of.functions[position]["gradient"] if is_whole else _added([one.get("gradient") for one in edges])
    joint: NextEdge = {"kind": "next", "slot": edge["slot"], "input_nr": number}
    return joint if gradient is None else {**joint, "gradient": gradient}


def _added(values: Sequence[Any]) -> Value:
    """The sum of values that are known in full and have one shape; None for others."""
    if all(is_number(value) for value in values):
        return sum(values)
    lists = [value for value in values if isinstance(value, list)]
    if len(lists) < len(values) or len({len(value) for value in lists}) != 1:
        return None
    found = [_added(items) for items in zip(*lists, strict=True)]
    return None if any(item is None for item in found) else found


def plain_sign(graph: Graph, identifier: str) -> str:
    """The sign of an operation without its numbers."""
    node = graph.function(identifier)
    op = op_of(node["name"]).partition(".")[0]
    if op == "select" and is_number(node["attributes"].get("index")):
        return f"[{node['attributes']['index']}]"
    if node["attributes"].get("alpha", 1) != 1:
        return op
    if op == "addmm" and any(_is_weight(graph, operand) for operand in operands_of(graph, identifier)):
        return SIGNS["linear"]
    return SIGNS.get(op) or spoken_name(node["name"])


def _is_weight(graph: Graph, operand: Operand) -> bool:
    """Whether a constant is the second factor of an addmm, which torch has transposed and saved."""
    constant = operand.constant or {}
    tensor = str(constant.get("tensor"))
    if operand.position != 2 or tensor not in graph.rows:
        return False
    saved, given = graph.tensor(tensor), constant.get("shape")
    if given != saved["shape"]:
        return given == saved["shape"][::-1]
    value, data = constant["value"], saved["before"]["data"]
    is_full = isinstance(value, list) and isinstance(data, list)
    return is_full and value != data and [list(column) for column in zip(*value, strict=True)] == data


def sign_with_constant(op: str, position: int, constant: Constant) -> str:
    """`×0.5`, `1−`, `X ·`: the sign with a constant; empty for another operation."""
    value = constant["value"]
    if constant["name"]:
        return _sign_with_text(op, position, shown_name(constant))
    if position == 1 and op in _OPPOSITES and value < 0 and not constant.get("expression"):
        op, constant = _OPPOSITES[op], {**constant, "value": -value}
    sign = (_FIRST if position == 0 else _SECOND).get(op, "")
    return sign.replace("{c}", _number(constant)) if sign else ""


def _sign_with_text(op: str, position: int, text: str) -> str:
    sign = (_FIRST if position == 0 else _SECOND).get(op, "")
    if op in _OF_MATRICES:
        sign = "{c}·" if position == 0 else "·{c}"
    return sign.replace("{c}", f" {text} ").strip()


def _number(constant: Constant) -> str:
    """A number as the script writes it, if that is short; a root of a whole number that the script takes as √2."""
    source = str(constant.get("expression") or "")
    value = constant["value"]
    if isinstance(value, float) and value > 1 and _TAKES_ROOT.search(source):
        square = round(value * value)
        if square < 1000 and abs(value * value - square) < 1e-6 * square and value != round(value):
            return f"√{square}"
    plain = format_number(value)
    return source if 0 < len(source) <= _LONGEST_SOURCE and len(source) < len(plain) else plain


def _is_in_sign(op: str, constant: Constant, inline: bool) -> bool:
    """Whether a constant stands in the sign of its gate: a number, or a factor with a name and few elements."""
    is_factor = inline and op in _OF_MATRICES and bool(constant["name"])
    return _is_inside(constant, inline) or (is_factor and bool(written_value(constant["value"], FULL_DIGITS)))


def _is_inside(constant: Constant, inline: bool = False) -> bool:
    """Whether a constant is a number without a name, or a number."""
    value: Any = constant["value"]
    return is_number(value) and not isinstance(value, complex) and (inline or not constant["name"])
