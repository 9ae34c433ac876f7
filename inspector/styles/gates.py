# ruff: noqa: RUF001, RUF002 (the signs are those of figures)
"""The sign of a gate: an operation as written by hand, with its constant numbers: `·`, `1−`, `÷√2`, `^2`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from inspector.graph import Graph
from inspector.graph.node_names import op_of, without_backward
from inspector.graph.row_types import NextEdge
from inspector.graph.topology import Topology, topology_of
from inspector.graph.values import Value, is_number
from inspector.styles.operands import Constant, Operand, operands_of
from inspector.styles.operations import operation
from inspector.styles.shown_name import shown_name
from inspector.typography import format_number
from inspector.typography.number_format import MINUS


@dataclass(frozen=True, slots=True)
class Gate:
    """A sign, and the operands beside the gate: those that are not numbers in the sign.

    inside: how many functions it stands for, if several.
    """

    sign: str
    operands: tuple[Operand, ...]
    inside: str = ""


TRANSPOSE = "ᵀ"
_PRODUCTS = {"·": ("ᵀ·", "·ᵀ"), "· +": ("", "", "x Wᵀ + b")}
"""The sign of a product → its signs if the operand in each place is transposed; empty for none."""
_SIGNS = {
    "add": "+",
    "sub": MINUS,
    "rsub": MINUS,
    "mul": "×",
    "div": "÷",
    "pow": "^",
    "maximum": "max",
    "minimum": "min",
    **dict.fromkeys(("mm", "mv", "dot", "bmm", "vdot", "ger", "matmul"), "·"),
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
_LONGEST_SOURCE = 8
"""Maximum characters of the source text of a number in a gate."""


def gate_of(graph: Graph, identifier: str, operands: Sequence[Operand], *, inline: bool = False) -> Gate:
    """The gate of a function. inline: whether numbers with a name stand in the gate, too."""
    node = graph.function(identifier)
    op = op_of(node["name"]).partition(".")[0]
    numbers = [operand for operand in operands if operand.constant and _is_inside(operand.constant, inline)]
    others = tuple(operand for operand in operands if operand not in numbers)
    exponent: Any = node["attributes"].get("exponent")
    if op == "pow" and is_number(exponent):
        return Gate(f"^{format_number(exponent)}", others)
    if len(numbers) == 1 and len(others) == 1 and numbers[0].constant is not None:
        sign = _with_number(op, numbers[0].position, numbers[0].constant)
        return Gate(sign or plain_sign(graph, identifier), others if sign else tuple(operands))
    if not numbers and len(others) == 1 and op in _SECOND:
        return Gate(operation(graph, identifier).symbol, others)  # a constant computed from input and output
    return Gate(plain_sign(graph, identifier), others)


def group_gate(graph: Graph, name: str, members: Sequence[str], *, inline: bool = False) -> Gate:
    """The gate of several functions, root first.

    Its operands are the outputs from outside, each once with the gradient that arrives from all members, and the
    constants with a name. inline: without the numbers that have one.
    """
    of = topology_of(graph)
    found: dict[object, Operand] = {}
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
    operands = [
        replace(operand, edge={**operand.edge, "slot": slot}) if operand.edge else operand
        for slot, operand in enumerate(found.values())
    ]
    sign = name if name.startswith(("(", "…")) or "\n" in name else name.replace(" ", "\n", 1)
    return Gate(sign, tuple(operands), f"{len(members)} Nodes")


def without_transposes(graph: Graph, gates: dict[str, Gate]) -> dict[str, Gate]:
    """The gates, with every transpose that only a product of matrices reads as a part of that product's sign."""
    readers: dict[str, list[Operand]] = {}
    for gate in gates.values():
        for operand in gate.operands:
            if operand.output is not None:
                readers.setdefault(operand.output[0], []).append(operand)
    found = dict(gates)
    for identifier, gate in gates.items():
        read = readers.get(identifier, [])
        if gate.sign != TRANSPOSE or len(read) != 1 or len(gate.operands) != 1:
            continue
        reader, own = read[0].user, gate.operands[0]
        signs = _PRODUCTS.get(found[reader].sign)
        if signs and own.edge and read[0].edge and read[0].position < len(signs) and signs[read[0].position]:
            edge: NextEdge = {**own.edge, "slot": read[0].edge["slot"]}
            moved = replace(own, user=reader, position=read[0].position, edge=edge)
            operands = tuple(moved if operand == read[0] else operand for operand in found[reader].operands)
            found[reader] = Gate(signs[read[0].position], operands)
            del found[identifier]
    return found


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
    return _SIGNS.get(op) or (op if op.islower() else without_backward(node["name"]))


def _with_number(op: str, position: int, constant: Constant) -> str:
    """`×0.5`, `1−`: the sign with a number; empty for another operation."""
    value = constant["value"]
    if constant["name"]:
        sign = (_FIRST if position == 0 else _SECOND).get(op, "")
        return sign.replace("{c}", f" {shown_name(constant)} ").strip()
    if position == 1 and op in _OPPOSITES and value < 0 and not constant.get("expression"):
        op, constant = _OPPOSITES[op], {**constant, "value": -value}
    sign = (_FIRST if position == 0 else _SECOND).get(op, "")
    return sign.replace("{c}", _number(constant)) if sign else ""


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


def _is_inside(constant: Constant, inline: bool = False) -> bool:
    """Whether a constant is a number without a name, or a number."""
    value: Any = constant["value"]
    return is_number(value) and not isinstance(value, complex) and (inline or not constant["name"])
