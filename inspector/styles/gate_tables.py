# ruff: noqa: RUF002 (the signs are those of figures)
"""The leaves and constants of a gate, listed inside it. No torch needed."""

from __future__ import annotations

from collections import Counter

from inspector.graph.row_types import TensorRow
from inspector.graph.topology import Pair
from inspector.graph.value_norms import value_norm
from inspector.graph.values import Value, is_number, is_unknown
from inspector.styles.circuit_model import Circuit, output_name
from inspector.styles.gates import Gate
from inspector.styles.operands import Constant, Operand
from inspector.styles.plan import StyledText, TextTable
from inspector.styles.shown_name import shown_name
from inspector.styles.value_text import UNKNOWN, sides_text
from inspector.typography import format_number, one_line

_LONGEST_EXPRESSION = 12


def gate_table(circuit: Circuit, gate: Gate) -> tuple[StyledText, ...]:
    """The lines below the sign of a gate: `W1  2×3  ‖0.82‖` for each leaf, and one line for all constants."""
    rows, constants = [], []
    for operand in gate.operands:
        leaf = circuit.leaf(operand)
        if operand.id in circuit.first:
            continue
        if leaf is not None:
            rows.append(_row(circuit, circuit.subject.graph.tensor(leaf), operand, "value"))
        elif operand.id in circuit.by_name and operand.output is not None:
            rows.append(_named(circuit, operand, operand.output))
        elif operand.constant is not None:
            constants.append(_constant(operand.constant, circuit.digits))
    rows.sort(key=lambda row: gate.sign.find(row[0].text))
    lines: list[StyledText] = []
    if rows:
        text = "; ".join(" ".join(cell.text for cell in row) for row in rows)
        lines.append(TextTable(text, "value", cells=_without_shared_prefix(circuit, rows, gate.sign)))
    if constants:
        lines.append(StyledText(", ".join(dict.fromkeys(constants)), "quiet", "medium"))
    return tuple(lines)


def _named(circuit: Circuit, operand: Operand, output: Pair) -> tuple[StyledText, ...]:
    """The row of an output that another gate computed."""
    tensor = circuit.subject.topology.outputs.get(output)
    if tensor is not None:
        row = _row(circuit, circuit.subject.graph.tensor(tensor), operand, "ink")
        return (StyledText(output_name(circuit, output), "ink", "bold"), *row[1:])
    found = _short(operand.gradient, circuit.digits) if circuit.subject.ran else ""
    name = StyledText(output_name(circuit, output), "ink", "bold")
    return name, StyledText("", "value", "medium"), StyledText(found, "gradient", "medium")


def _row(circuit: Circuit, tensor: TensorRow, operand: Operand, ink: str) -> tuple[StyledText, ...]:
    """Name, value and the gradient from this gate; of a tensor its shape and a norm."""
    subject = circuit.subject
    value = _short(tensor[subject.moment]["data"], circuit.digits, sides_text(tensor["shape"]))
    found = _short(operand.gradient, circuit.digits) if subject.ran else ""
    return (
        StyledText(shown_name(tensor) or "leaf", ink, "bold"),
        StyledText(value, "value", "medium"),
        StyledText(found, "gradient", "medium"),
    )


def _short(value: Value, digits: int, shape: str = "") -> str:
    """A number; of a tensor its shape, or its norm without one."""
    if value is None:
        return ""
    if is_number(value):
        return format_number(value, digits)
    norm = None if shape or is_unknown(value) else value_norm(value)
    return shape or (UNKNOWN if norm is None else f"‖{format_number(norm, digits)}‖")


def _constant(constant: Constant, digits: int) -> str:
    """`x [2]`, `t = 1`; without a short name the value alone."""
    expression = one_line(str(constant.get("expression") or ""))
    name = shown_name(constant) or (expression if len(expression) <= _LONGEST_EXPRESSION else "")
    value = constant["value"]
    if is_number(value):
        return f"{name} = {format_number(value, digits)}" if name else format_number(value, digits)
    return f"{name} {sides_text(constant.get('shape') or ())}".strip()


def _without_shared_prefix(
    circuit: Circuit, rows: list[tuple[StyledText, ...]], sign: str
) -> tuple[tuple[StyledText, ...], ...]:
    """The rows with `weight` for `encoder.weight` if the sign of the gate names the module `encoder`, as far as no
    other name of the graph ends in the same way."""
    ends = Counter(end for name in _names(circuit) for end in _ends(name))
    found = []
    for name, *others in rows:
        module = name.text.rpartition(".")[0]
        is_said = bool(module) and f"{module.rpartition('.')[2]}(" in sign
        text = next(end for end in _ends(name.text) if ends[end] < 2 or end == name.text)
        found.append((StyledText(text if is_said else name.text, name.ink, name.face), *others))
    return tuple(found)


def _names(circuit: Circuit) -> set[str]:
    """The names of the tensors and constants of a graph."""
    graph = circuit.subject.graph
    constants = (item for gate in circuit.gates.values() for one in gate.operands if (item := one.constant))
    return {shown_name(row) for row in (*(tensor for _, tensor in graph.tensors()), *constants)}


def _ends(name: str) -> list[str]:
    """`c`, `b.c` and `a.b.c`: the ends of a path, the shortest first."""
    parts = name.split(".")
    return [".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]
