"""The arithmetic of an edge and of a sum of gradients: `2x · 1 = 4`, `4 + 2 = 6`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeAlias

from inspector.graph import Graph, is_unknown
from inspector.graph.hook_changes import hook_changes
from inspector.graph.row_types import NextEdge, TensorRow
from inspector.graph.values import Value, is_number
from inspector.terminal.labels import operand, tensor_label, with_superscripts
from inspector.terminal.text_cells import fit_text
from inspector.terminal.tree_lines import Visit
from inspector.typography import format_number, value_text
from inspector.typography.number_format import factor_text

ArithmeticText: TypeAlias = tuple[str, Value]
"""The left side of an equation with its equals sign (or an empty text), and the gradient."""

_TERMS_SHOWN = 4
_SHORT_LABEL = 8
_UNITS = ("1", "-1")  # a product with them adds no information


def flows(graph: Graph, drawn: Sequence[Visit], made: dict[str, list[TensorRow]]) -> list[ArithmeticText]:
    """`2x · 1 = 4` for each edge: local derivative, upstream gradient, product. For a root `∂z/∂z = 1`, or the
    gradient that backward was given: `given 4`."""
    written: list[ArithmeticText] = []
    for visit in drawn:
        if visit.source is None or visit.edge is None:
            written.append(_start(made[visit.function], graph[visit.function]["gradient"]))
        else:
            upstream = graph[visit.source]["gradient"]
            written.append((_product(visit.edge, upstream), visit.edge.get("gradient")))
    return written


def sums(graph: Graph, drawn: Sequence[Visit]) -> list[ArithmeticText | None]:
    """`2 + 2 = 4` for the last edge into an output of a function: the gradients of all edges and their sum. For a
    root `→ 5` if a hook changed its gradient."""
    into: dict[tuple[str, int], list[int]] = defaultdict(list)
    for position, visit in enumerate(drawn):
        if visit.edge is not None:
            into[visit.function, visit.edge["input_nr"]].append(position)
    arrived = [None if visit.edge is None else visit.edge.get("gradient") for visit in drawn]
    several = _with_several_outputs(graph)
    written: list[ArithmeticText | None] = [None] * len(drawn)
    for (function, output), positions in into.items():
        total = graph[function]["gradient"]
        if function in several:
            total = total[output] if isinstance(total, list) and output < len(total) else None
        written[positions[-1]] = _sum([arrived[position] for position in positions], total)
    changes = {change.function: change for change in hook_changes(graph)}
    for position, visit in enumerate(drawn):
        if visit.edge is None and visit.function in changes:
            written[position] = "→ ", changes[visit.function].arrived
    return written


def _start(outputs: Sequence[TensorRow], arrived: Value) -> ArithmeticText:
    label = tensor_label(outputs[0]) if len(outputs) == 1 else ""
    seed = outputs[0].get("seed", arrived) if len(outputs) == 1 else arrived
    if seed != 1:
        return ("" if len(outputs) != 1 or "seed" not in outputs[0] or is_unknown(seed) else "given "), seed
    return f"∂{operand(label)}/∂{operand(label)} = " if 0 < len(label) <= _SHORT_LABEL else "", seed


def _product(edge: NextEdge, upstream: Value) -> str:
    """`2x · 1 = `, or an empty text if the product does not equal the measured gradient."""
    local, arrived = edge.get("local"), edge.get("gradient")
    if local is None or "unknown" in local or local["symbol"] is None or local["symbol"] in _UNITS:
        return ""
    if not (is_number(local["value"]) and is_number(upstream) and _close(local["value"] * upstream, arrived)):
        return ""
    return f"{fit_text(with_superscripts(local['symbol']), 24)} · {factor_text(upstream)} = "


def _with_several_outputs(graph: Graph) -> set[str]:
    made = {tensor["grad_fn"] for _, tensor in graph.tensors() if "output_nr" in tensor}
    reached = {target for _, target, edge in graph.edges("next") if edge["input_nr"] > 0}
    return {function for function in made if function is not None} | reached


def _sum(terms: Sequence[Value], total: Value) -> ArithmeticText | None:
    """`2 + 2 = 4`; `→ 5` if another gradient arrived (a hook changed it); None if it is that of a single edge."""
    if total is None or is_unknown(total):
        return None
    if all(is_number(term) for term in terms) and _close(sum(terms), total):
        if len(terms) == 1:
            return None
        first, *others = terms[:_TERMS_SHOWN]
        more = " + …" if len(terms) > _TERMS_SHOWN else ""
        return " + ".join([format_number(first), *map(factor_text, others)]) + more + " = ", total
    if len(terms) == 1 and (not is_number(total) or _alike(terms[0], total)):
        return None
    return "→ ", total


def _alike(one: Value, other: Value) -> bool:
    """Whether two values have the same text (NaN equals NaN)."""
    return value_text(one) == value_text(other)


def _close(one: Any, other: Any) -> bool:
    """Whether two numbers are equal in float32."""
    return is_number(other) and bool(abs(one - other) <= 1e-6 * max(abs(one), abs(other)))
