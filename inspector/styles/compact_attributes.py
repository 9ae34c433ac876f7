"""The denser ways to draw the `attributes` style: data and grad only, or one line for each tensor.

Operations stand for functions, and gradients flow into leaves, as in the detail `beginner`. What all leaves have
in common, and all other tensors, is said once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from inspector.graph.row_types import NextEdge, TensorRow
from inspector.graph.value_norms import value_norm
from inspector.graph.values import Value, is_number, is_unknown
from inspector.styles.attributes import plan_attributes
from inspector.styles.plan import CardRow, Plan, PlannedBox, StyledText
from inspector.styles.subject import Subject
from inspector.styles.table import Density
from inspector.styles.value_text import UNKNOWN, sides_text
from inspector.typography import format_number

_FACTS = ("grad_fn", "is_leaf", "requires_grad")
_OF_OTHERS = ("grad", *_FACTS[1:])


def plan_data_and_grad(subject: Subject) -> Plan:
    """The figure with two rows in each card, and with others only where tensors differ."""
    plan = _plan(subject)
    cards = [box for box in plan.boxes if box.shape == "card"]
    leaves = [box for box in cards if _is_leaf(subject, box)]
    others = [box for box in cards if not _is_leaf(subject, box)]
    keep_none = all(_keeps_no_grad(subject.graph.tensor(box.id)) for box in others)
    of_leaves, of_others = _common(leaves, _FACTS), _common(others, _OF_OTHERS if keep_none else _FACTS)
    shared = {box.id: of_leaves for box in leaves} | {box.id: {**of_others, "grad_fn": ""} for box in others}
    boxes = [
        replace(box, rows=tuple(row for row in box.rows if row.key not in shared.get(box.id, ())))
        for box in plan.boxes
    ]
    said = [*_said("leaves", leaves, of_leaves), *_said("other tensors", others, of_others)]
    return replace(plan, boxes=tuple(boxes), notes=(*plan.notes, *said))


def plan_one_line(subject: Subject) -> Plan:
    """The figure with a line for each tensor, `W1 2×3  grad ‖0.82‖`, and norms on the edges."""  # noqa: RUF002
    subject = replace(subject, look=replace(subject.look, derivatives="none"))
    plan = _plan(subject)
    gradients = {f"{source}.{edge['slot']}": edge for source, _, edge in subject.graph.edges("next")}
    boxes = [_in_one_line(subject, box) for box in plan.boxes]
    wires = [
        replace(wire, label=_short_label(wire.label, gradients[wire.id])) if wire.id in gradients else wire
        for wire in plan.wires
    ]
    leaves = [box for box in plan.boxes if box.shape == "card" and _is_leaf(subject, box)]
    said = _said("leaves", leaves, _common(leaves, _FACTS))
    return replace(plan, boxes=tuple(boxes), wires=tuple(wires), notes=(*plan.notes, *said))


def _plan(subject: Subject) -> Plan:
    return plan_attributes(replace(subject, look=replace(subject.look, detail="beginner")))


def _is_leaf(subject: Subject, box: PlannedBox) -> bool:
    return subject.graph.tensor(box.id)["is_leaf"]


def _keeps_no_grad(tensor: TensorRow) -> bool:
    """Whether the grad of a tensor that is not a leaf is None at every moment."""
    return tensor["retains_grad"] is False and tensor["before"]["grad"] is None and tensor["after"]["grad"] is None


def _common(cards: Sequence[PlannedBox], keys: Sequence[str]) -> dict[str, str]:
    """The rows with these keys that are the same in all cards: key → text."""
    found = {}
    for key in keys:
        texts = {_text(row) for box in cards for row in box.rows if row.key == key}
        if len(texts) == 1:
            found[key] = texts.pop()
    return found


def _text(row: CardRow) -> str:
    return " ".join(words.text for words in row.lines)


def _said(who: str, cards: Sequence[PlannedBox], common: dict[str, str]) -> Iterator[StyledText]:
    """`leaves: grad_fn None, is_leaf True, requires_grad True`."""
    if cards and common:
        yield StyledText(f"{who}: {', '.join(f'{key} {text}' for key, text in common.items())}", "quiet")


def _in_one_line(subject: Subject, box: PlannedBox) -> PlannedBox:
    """A card as one line; a value beside a function without its expression; other boxes as they are."""
    if box.id not in subject.graph.rows or subject.graph[box.id]["kind"] != "tensor":
        return box
    tensor = subject.graph.tensor(box.id)
    value = _short(tensor[subject.moment]["data"], tensor)
    if box.shape == "plain":
        return replace(box, texts=(replace(box.texts[0], text=value),))
    if box.shape != "card":
        return box
    is_scalar = is_number(tensor[subject.moment]["data"])
    line = f"{box.texts[0].text}{' = ' if is_scalar else ' '}{value}"
    if tensor["is_leaf"]:
        grad = tensor[subject.moment]["grad"]
        line += f"  grad {grad if grad is None else _norm(grad)}"
    words = StyledText(line, box.ink, "medium")
    return PlannedBox(box.id, "chip", (words,), ink=box.ink, fill=box.header, badge=box.badge)


def _short(value: Value, tensor: TensorRow) -> str:
    """A number, or the shape of a tensor."""
    if is_unknown(value):
        return UNKNOWN
    sides = sides_text(tensor["shape"])
    return format_number(value) if is_number(value) else sides or UNKNOWN


def _norm(value: Value) -> str:
    """A number, or the norm of a tensor."""
    if is_number(value):
        return format_number(value)
    norm = None if is_unknown(value) else value_norm(value)
    return UNKNOWN if norm is None else f"‖{format_number(norm)}‖"


def _short_label(label: tuple[StyledText, ...], edge: NextEdge) -> tuple[StyledText, ...]:
    """The gradient on an edge as a number or a norm; a label without one as it is."""
    gradient = edge.get("gradient")
    if not label or gradient is None or is_number(gradient) or is_unknown(gradient):
        return label
    return (replace(label[0], text=_norm(gradient)),)


DENSITIES = (Density("data and grad only", plan_data_and_grad), Density("one line for each tensor", plan_one_line))
"""From the richest to the densest."""
