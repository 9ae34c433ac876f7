# ruff: noqa: RUF002 (the signs are those of figures)
"""The lines below a compact circuit: the gradient of a leaf as the sum over its readers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from inspector.graph.values import Value, is_number
from inspector.styles.circuit_model import Circuit
from inspector.styles.gates import FULL_DIGITS
from inspector.styles.grid_text import written_value
from inspector.styles.operands import Operand
from inspector.styles.plan import StyledText
from inspector.styles.shown_name import shown_name
from inspector.styles.value_text import agree, sides_text
from inspector.typography import format_number
from inspector.typography.formula_format import format_formula
from inspector.typography.number_format import MINUS

_MOST_SUMMANDS = 6
_MOST_FORMULAS = 8
_ALIAS = re.compile(r"\bv\d+\b")
"""The short name of a long expression."""


def sums_over_readers(circuit: Circuit) -> Iterator[StyledText]:
    """`∂L/∂w = 0 + (−0.049) + (−0.02) = −0.069` and `w = 0.9` for every leaf that several gates read; of a matrix
    its value or its shape."""
    graph = circuit.subject.graph
    root = _root(circuit)
    for output, users in circuit.users.items():
        leaf = circuit.subject.topology.leaves.get(output[0])
        if leaf is None or len(users) < 2:
            continue
        tensor = graph.tensor(leaf)
        name, value = shown_name(tensor) or "leaf", tensor[circuit.subject.moment]["data"]
        shown = _written_value(value, tensor["shape"], circuit.digits)
        parts = [operand.gradient for operand in users]
        total = _written_sum(parts, tensor["gradient"], circuit.digits) if circuit.subject.ran else ""
        if total:
            yield StyledText(f"∂{root}/∂{name} = {total}", "gradient", "bold")
        if shown:
            yield StyledText(f"{name}{shown}", "value", "bold")


def _written_value(value: Value, shape: Sequence[int], digits: int) -> str:
    """` = 0.9`, ` = [1, 2]`, or the shape of a larger tensor: ` 64×784`."""
    text = written_value(value, digits)
    if text:
        return f" = {text}"
    return f" {sides_text(shape)}" if shape else ""


def _written_sum(parts: list[Value], total: Value, digits: int) -> str:
    """`0 + (−0.049) = −0.049`, if the parts are numbers that add up to the total."""
    if not all(map(is_number, (*parts, total))) or not agree(sum(parts), total):
        return ""
    texts = [format_number(part, digits) for part in parts]
    texts = [texts[0], *(f"({text})" if text.startswith(MINUS) else text for text in texts[1:])]
    if len(texts) > _MOST_SUMMANDS:
        texts = [*texts[: _MOST_SUMMANDS - 1], "…"]
    return f"{' + '.join(texts)} = {format_number(total, digits)}"


def inline_values(circuit: Circuit) -> Iterator[StyledText]:
    """`x = 1, X = [[1, 0], [0, 2]]`: the constants with a name that stand in gates."""
    found: dict[str, str] = {}
    for gate in circuit.gates.values():
        for constant in gate.named:
            found[shown_name(constant)] = written_value(constant["value"], FULL_DIGITS)
    if found:
        yield StyledText(", ".join(f"{name} = {found[name]}" for name in sorted(found)), "quiet", "medium")


def matrix_formulas(circuit: Circuit) -> Iterator[StyledText]:
    """`12  ∂L/∂W = δ hᵀ`: gradients of tensors with a name in terms of matrices, by the step of their gate.

    What several gates read is written `∂L/∂W += δ hᵀ`: its gradient is the sum of these.
    """
    graph = circuit.subject.graph
    if not circuit.subject.ran:
        return
    found: dict[int, list[str]] = {}
    for key, gate in circuit.gates.items():
        node = graph.function(key)
        step, closed = node["step"], node.get("closed_form")
        if not isinstance(step, int):
            continue
        if closed:
            found.setdefault(step, []).append(f"δ = {format_formula(closed)}")
        for operand in gate.operands:
            name, form = _name_of(circuit, operand), operand.edge and operand.edge.get("matrix")
            if name and isinstance(form, str) and form not in ("δ", "-δ"):
                is_shared = operand.output is not None and len(circuit.users.get(operand.output, ())) > 1
                sign = "+=" if is_shared else "="
                definitions = _definitions(circuit, form)
                if definitions is not None:
                    text = format_formula(f"{form}{definitions}")
                    found.setdefault(step, []).append(f"∂{_root(circuit)}/∂{name} {sign} {text}")
    shown = sorted(found.items())[:_MOST_FORMULAS]
    for step, texts in shown:
        yield StyledText(f"{step}  {'   '.join(texts)}", "gradient")
    if len(found) > len(shown):
        yield StyledText("…", "gradient")
    if shown:
        yield StyledText("δ: the gradient that arrives at the gate of this step", "quiet")


def _definitions(circuit: Circuit, form: str) -> str | None:
    """`, v1 = norm(u)` for each short name in a form; None if the script has no text for one."""
    graph, outputs = circuit.subject.graph, circuit.subject.topology.outputs
    found, used = "", set(_ALIAS.findall(form))
    for key, node in graph.functions():
        alias, tensor = node.get("alias"), outputs.get((key, 0))
        if alias and alias["name"] in used:
            code = alias["expression"] or (tensor and graph.tensor(tensor).get("expression"))
            if not code:
                return None
            found += f", {alias['name']} = {code}"
    return found


def _name_of(circuit: Circuit, operand: Operand) -> str:
    """The name of the tensor that an operand is."""
    tensor = circuit.subject.topology.outputs.get(operand.output) if operand.output else None
    return shown_name(circuit.subject.graph.tensor(tensor)) if tensor else ""


def _root(circuit: Circuit) -> str:
    roots = list(dict.fromkeys(circuit.subject.graph.roots))
    return (shown_name(circuit.subject.graph.tensor(roots[0])) if len(roots) == 1 else "") or "out"
