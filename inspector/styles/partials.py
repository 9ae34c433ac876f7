"""The `partials` style: tensors as boxes `e = c·d`, 6, with a partial derivative on each edge (Olah).

The sum of the chain rule over all paths from the root to each leaf is written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from inspector.graph.row_types import FunctionRow, NextEdge
from inspector.graph.tensor_names import numbered_name
from inspector.graph.values import is_number
from inspector.styles import title_and_legend
from inspector.styles.operations import inputs_of, operation
from inspector.styles.paths import MOST_PATHS, path_sum
from inspector.styles.plan import LegendEntry, Plan, PlannedBox, PlannedWire, StyledText
from inspector.styles.subject import Subject
from inspector.styles.value_text import derivative_text, gradient_text, value_inline
from inspector.typography import one_line


def plan_partials(subject: Subject) -> Plan:
    """The figure: one box per tensor, without AccumulateGrads."""
    names = letters(subject)
    boxes = [_box(subject, key, node, names) for key, node in subject.graph.functions()]
    lonely = [root for root in subject.graph.roots if root not in subject.topology.makers]
    boxes += [_lonely_root(subject, root) for root in lonely if subject.graph.tensor(root)["grad_fn"] is None]
    return Plan(
        moment=subject.moment,
        boxes=tuple(boxes),
        wires=tuple(_edges(subject, names)),
        title=title_and_legend.title(subject),
        notes=(*title_and_legend.raised(subject), *_sums(subject)),
        legend=_legend(subject),
    )


def letters(subject: Subject) -> dict[str, str]:
    """Function → a name for the tensor it created: the name in the script, else v1, v2, … in the order of
    evaluation."""
    graph, outputs = subject.graph, subject.topology.outputs
    names: dict[str, str] = {}
    for identifier, node in graph.functions():
        tensor = outputs.get((identifier, 0))
        alias = node["alias"]["name"] if "alias" in node else ""  # the name in derivatives
        names[identifier] = one_line((numbered_name(graph.tensor(tensor)) if tensor else None) or alias)
    taken = set(names.values())
    free = (name for number in count(1) if (name := f"v{number}") not in taken)
    return {key: names[key] or next(free) for key in _evaluated(subject)}


def _evaluated(subject: Subject) -> Iterator[str]:
    """All functions in the order of evaluation, depth first, each after its inputs."""
    of = subject.topology
    starts = [key for position, key in enumerate(of.ids) if not of.arrivals.of(position)]
    waiting = [(key, False) for key in reversed(starts)]
    seen: set[str] = set()
    while waiting:
        here, is_done = waiting.pop()
        if is_done:
            yield here
        elif here not in seen:
            seen.add(here)
            waiting.append((here, True))
            waiting += [(source, False) for source in reversed(inputs_of(subject.graph, here))]


def _box(subject: Subject, identifier: str, node: FunctionRow, names: dict[str, str]) -> PlannedBox:
    name = names[identifier]
    value = value_inline(node[subject.moment]["data"], "", ())
    numbers = StyledText(value, "value", "bold")
    if node["is_leaf"]:
        words = StyledText(f"{name} = {value}", "value", "bold")
        return PlannedBox(identifier, "box", (words,), ink="value", fill="leaf_header", badge=subject.badge(node))
    formula = operation(subject.graph, identifier).formula
    operands = [names[source] for source in inputs_of(subject.graph, identifier)]
    for slot, operand in enumerate(operands):
        formula = formula.replace(f"{{{slot}}}", operand)
    words = StyledText(f"{name} = {formula}", face="medium")
    return PlannedBox(identifier, "box", (words, numbers), fill="function", badge=subject.badge(node))


def _lonely_root(subject: Subject, root: str) -> PlannedBox:
    tensor = subject.graph.tensor(root)
    value = value_inline(tensor[subject.moment]["data"], tensor["dtype"], tensor["shape"])
    return PlannedBox(root, "box", (StyledText(f"{one_line(tensor['name'] or '?')} = {value}"),))


def _edges(subject: Subject, names: dict[str, str]) -> list[PlannedWire]:
    """Every edge with `∂e/∂c = d = 2`."""
    wires = []
    for source, target, edge in subject.graph.edges("next"):
        flowed = subject.flowed(source, edge)
        lines = _partial(subject, source, target, edge, names) if flowed else ()
        ink = "gradient" if flowed else "line"
        identifier = f"{source}.{edge['slot']}"
        wires.append(PlannedWire(identifier, source, target, lines, ink, head=subject.head))
    return wires


def _partial(
    subject: Subject, source: str, target: str, edge: NextEdge, names: dict[str, str]
) -> tuple[StyledText, ...]:
    """The partial derivative of one tensor by the other, or the gradient if that is unknown."""
    shown = f"∂{names[source]}/∂{names[target]}"
    wanted = subject.look.derivatives or "both"
    local = edge.get("local")
    text = derivative_text(edge.get("gradient"), local, subject.graph[source]["gradient"])
    if not text or wanted == "none":
        text = gradient_text(edge.get("gradient"))
        return (StyledText(f"gradient {text}", "gradient", "bold"),) if text else ()
    if wanted == "numbers":
        text = text.rpartition(" = ")[2]
    if wanted == "symbols":
        text = text.partition(" = ")[0]
    return (StyledText(f"{shown} = {text}", "gradient", "bold"),)


def _sums(subject: Subject) -> list[StyledText]:
    """`∂e/∂b = 2 · 1 + 3 · 1 = 5` for every scalar leaf with known derivatives on all paths."""
    if not subject.ran or len(subject.graph.roots) != 1:
        return []
    sums = []
    for leaf in subject.topology.leaves.values():
        if is_number(subject.graph[leaf]["gradient"]):
            text = path_sum(subject.graph, leaf, subject.graph.roots[0])
            sums += [StyledText(text, "gradient", "bold")] if text else []
    return sums


def _legend(subject: Subject) -> tuple[LegendEntry, ...]:
    entries = [*title_and_legend.badge_entry(subject), title_and_legend.arrow_entry(subject)]
    if _sums(subject):
        text = f"∂f/∂x: sum over all paths of the product along each path (up to {MOST_PATHS} shown)"
        entries.append(LegendEntry("text", text, "gradient", "Σ"))
    return tuple(entries)
