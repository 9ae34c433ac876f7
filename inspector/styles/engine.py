"""The `engine` style: everything that torch's engine uses, from the root to the leaves (after torchviz).

Every Node with its full name, step, saved tensors and their state, empty slots and, except in the detail
`beginner`, torch's formula for the derivative of each input.
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.graph.row_types import FunctionRow, SavedTensor, TensorRow
from inspector.graph.tensor_names import numbered_name
from inspector.graph.values import Value
from inspector.styles import title_and_legend
from inspector.styles.inner_groups import inner_texts, with_groups
from inspector.styles.plan import SMALL_SIZE, CardRow, LegendEntry, Plan, PlannedBox, PlannedWire, StyledText
from inspector.styles.subject import Subject
from inspector.styles.value_text import gradient_text, value_inline
from inspector.typography import one_line, value_text

_LINE = 22
"""Maximum number of characters of a formula on one line."""


def plan_engine(subject: Subject) -> Plan:
    """The figure: Nodes as cards, with leaves and roots attached as boxes."""
    hosts = dict(_hosts(subject))
    boxes = [_node(subject, key, node) for key, node in subject.graph.functions()]
    tensors = [_tensor(subject, key) for key in dict.fromkeys([*hosts, *subject.graph.roots])]
    plan = Plan(
        moment=subject.moment,
        boxes=(*boxes, *tensors),
        wires=(*_edges(subject), *_links(hosts)),
        hanging=hosts,
        title=title_and_legend.title(subject),
        notes=title_and_legend.notes(subject),
        legend=(
            *title_and_legend.badge_entry(subject),
            title_and_legend.arrow_entry(subject),
            LegendEntry("dashed", "tensor of a Node: root or leaf", "line"),
        ),
    )
    return with_groups(plan, subject)


def _hosts(subject: Subject) -> Iterator[tuple[str, str]]:
    """(tensor, its Node) of the leaves and the roots."""
    for function, leaf in subject.topology.leaves.items():
        yield leaf, function
    for root in subject.graph.roots:
        made_by = subject.graph.tensor(root)["grad_fn"]
        if made_by is not None and made_by in subject.graph.rows:
            yield root, made_by


def _node(subject: Subject, identifier: str, node: FunctionRow) -> PlannedBox:
    name = StyledText(node["name"], face="bold")
    rows = tuple(_rows(subject, node))
    badge = subject.badge(node)
    if not rows:
        return PlannedBox(identifier, "pill", (name,), fill="function", badge=badge)
    return PlannedBox(identifier, "card", (name,), rows, header="header", badge=badge)


def _rows(subject: Subject, node: FunctionRow) -> Iterator[CardRow]:
    """What is in a compiled function; the attributes, the saved tensors, the formulas and the empty slots."""
    if inside := inner_texts(node):
        yield CardRow("inside", tuple(map(StyledText, inside)))
    for key, value in node["attributes"].items():
        yield CardRow(key, (StyledText(one_line(value_text(value))),))
    for saved in node["saved"]:
        if saved["tensor"] is not None or saved["before"] != "empty":
            yield CardRow(f"saved {saved['name']}", (_saved(subject, saved),))
    formulas = node["formula"] if subject.look.detail != "beginner" else {}
    for key, formula in formulas.items():
        lines = list(_broken(one_line(formula)))
        longest = max(map(len, lines))  # rows are right-aligned; code is left-aligned
        code = (line.ljust(longest, "\N{NO-BREAK SPACE}") for line in lines)
        yield CardRow(f"∂ {key}", tuple(StyledText(line, "ink", "mono", SMALL_SIZE) for line in code))
    for slot in node["empty_slots"]:
        yield CardRow(f"slot {slot}", (StyledText("no next function", "quiet"),))


def _broken(formula: str) -> Iterator[str]:
    """A formula wrapped after a bracket, a comma, a dot or a space."""
    rest = formula
    while len(rest) > _LINE:
        cut = max(rest.rfind(sign, _LINE // 2, _LINE) for sign in ("(", ",", " ", ".")) + 1 or _LINE
        yield rest[:cut].rstrip()
        rest = rest[cut:].lstrip()
    yield rest


def _saved(subject: Subject, saved: SavedTensor) -> StyledText:
    """`x = 2, held`; a released tensor is quiet."""
    state = saved[subject.moment]
    tensor = saved["tensor"]
    if tensor is None or tensor not in subject.graph.rows:
        return StyledText(state, "quiet")
    held = subject.graph.tensor(tensor)
    value = value_inline(held["before"]["data"], held["dtype"], held["shape"])
    name = subject.name(held)
    shown = f"{name} = {value}" if name else value
    return StyledText(f"{shown}, {state}", "ink" if state == "held" else "quiet")


def _tensor(subject: Subject, identifier: str) -> PlannedBox:
    """`x = 2` and its grad."""
    tensor = subject.graph.tensor(identifier)
    value = value_inline(tensor[subject.moment]["data"], tensor["dtype"], tensor["shape"])
    name = one_line(numbered_name(tensor) or "")
    first = StyledText(f"{name} = {value}" if name else value, "value", "bold")
    return PlannedBox(identifier, "box", (first, _grad(subject, tensor)), ink="value", fill="leaf_header")


def _grad(subject: Subject, tensor: TensorRow) -> StyledText:
    before: Value = tensor["before"]["grad"]
    after: Value = tensor[subject.moment]["grad"]
    text = "None" if after is None else gradient_text(after) or "?"
    if after is None or not subject.ran or repr(before) == repr(after):
        return StyledText(f"grad {text}", "quiet")
    old = "None" if before is None else gradient_text(before) or "?"
    return StyledText(f"grad {old} → {text}", "gradient", "bold")


def _edges(subject: Subject) -> list[PlannedWire]:
    """Every edge with its gradient, and its input number if that is not 0."""
    wires = []
    for source, target, edge in subject.graph.edges("next"):
        flowed = subject.flowed(source, edge)
        lines = []
        text = subject.edge_text(source, edge) if flowed else ""
        if text:
            lines.append(StyledText(text, "gradient", "bold"))
        if edge["input_nr"]:
            lines.append(StyledText(f"input {edge['input_nr']}", "quiet", size=SMALL_SIZE))
        ink = "gradient" if flowed else "line"
        wires.append(PlannedWire(f"{source}.{edge['slot']}", source, target, tuple(lines), ink, head=subject.head))
    return wires


def _links(hosts: dict[str, str]) -> Iterator[PlannedWire]:
    for tensor, function in hosts.items():
        yield PlannedWire(f"{tensor}-{function}", tensor, function, dashed=True, head="none")
