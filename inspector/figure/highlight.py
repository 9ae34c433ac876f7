"""Highlight the paths between two tensors (fading the rest), or the function that is running.

Works for every style, by the ids described in `inspector.styles.plan`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from inspector.folding.finding_marks import finding_marks, shown_by
from inspector.graph import Graph
from inspector.options.choices import COLOURS
from inspector.options.presentation import Highlight
from inspector.styles.plan import (
    SMALL_SIZE,
    CardRow,
    LegendEntry,
    Plan,
    PlannedBox,
    PlannedWeightedWire,
    PlannedWire,
    StyledText,
    TextTable,
)
from inspector.typography import one_line

if TYPE_CHECKING:
    from inspector.styles.paths import PathHighlight, TensorPaths

FADED = "faded"


def highlight_paths(plan: Plan, paths: PathHighlight) -> Plan:
    """The plan with everything outside the paths faded, and after backward a note with the sum over the paths."""
    notes = tuple(
        replace(words, ink=FADED) if words.ink == "gradient" and words.text != paths.sum else words
        for words in plan.notes
    )
    if paths.sum and plan.moment != "before" and paths.sum not in {words.text for words in notes}:
        notes = (*notes, StyledText(paths.sum, "gradient", "bold"))
    return replace(
        plan,
        boxes=tuple(box if _node(box.id) in paths.nodes else _faded_box(box) for box in plan.boxes),
        wires=tuple(wire if _is_highlighted(wire, paths) else _faded_wire(wire) for wire in plan.wires),
        notes=notes,
    )


def highlight_tensor(plan: Plan, paths: TensorPaths, tensor: Highlight) -> Plan:
    """The plan with a tensor, and the wires of all paths from the roots to it, in its colour.

    A wire that an earlier highlight coloured keeps its colour.
    """
    boxes = tuple(_coloured_box(box, tensor) if _node(box.id) in paths.own else box for box in plan.boxes)
    wires = tuple(
        replace(wire, ink=tensor.colour) if _is_highlighted(wire, paths) and wire.ink not in COLOURS else wire
        for wire in plan.wires
    )
    entry = LegendEntry("text", f"paths to {tensor.name}", tensor.colour, tensor.name)
    return replace(plan, boxes=boxes, wires=wires, legend=(*plan.legend, entry))


def highlight_current(plan: Plan, nodes: Iterable[str]) -> Plan:
    """The plan with the boxes of these nodes in the gradient colour."""
    current = set(nodes)
    return replace(
        plan, boxes=tuple(_current_box(box) if box.id in current else box for box in plan.boxes)
    )  # fmt: skip


def highlight_affected(plan: Plan, graph: Graph) -> Plan:
    """The plan with the nodes of findings, and the paths from there to the affected nodes, in the error colour."""
    if not graph.marks.harmed:
        return plan
    shown = shown_by(graph)
    holders = {shown.get(identifier, identifier) for identifier in graph.marks.harmed}
    marks = finding_marks(graph)
    boxes = tuple(_affected_box(box, marks.get(box.id, [])) if box.id in holders else box for box in plan.boxes)
    wires = tuple(
        replace(wire, ink="error") if {_node(wire.source), _node(wire.target)} <= holders else wire
        for wire in plan.wires
    )
    said = tuple(
        StyledText(f"! {one_line(text)}", "error", "bold")
        for box in boxes
        if not box.rows
        for text in marks.get(box.id, ())
        if not any(text in words.text for words in box.texts)
    )
    return replace(plan, boxes=boxes, wires=wires, notes=(*plan.notes, *said))


def _affected_box(box: PlannedBox, marks: list[str]) -> PlannedBox:
    if box.ink == "error" or not marks or not box.rows:
        return replace(box, ink="error")
    words = tuple(StyledText(f"! {one_line(text)}", "error", "bold", SMALL_SIZE) for text in marks)
    return replace(box, ink="error", rows=(*box.rows, CardRow("finding", words, key_ink="error")))


def _node(identifier: str) -> str:
    """The node of the Graph that a box belongs to: the part of its id before the first dot."""
    return identifier.partition(".")[0]


def _is_highlighted(wire: PlannedWire, paths: PathHighlight | TensorPaths) -> bool:
    if _is_edge(wire):
        return wire.id in paths.edges
    return _node(wire.source) in paths.nodes and _node(wire.target) in paths.nodes


def _is_edge(wire: PlannedWire) -> bool:
    """Whether a wire stands for an edge of the Graph instead of a link to an attached box."""
    return isinstance(wire, PlannedWeightedWire) or wire.id.partition(".")[2].isdigit()


def _faded(lines: Iterable[StyledText]) -> tuple[StyledText, ...]:
    return tuple(
        replace(words, ink=FADED, cells=tuple(map(_faded, words.cells)))
        if isinstance(words, TextTable)
        else replace(words, ink=FADED)
        for words in lines
    )


def _faded_box(box: PlannedBox) -> PlannedBox:
    rows = tuple(replace(row, lines=_faded(row.lines), fill="", key_ink=FADED) for row in box.rows)
    fill = FADED if box.shape == "dot" else "ground"
    return replace(box, texts=_faded(box.texts), rows=rows, ink=FADED, fill=fill, header="")


def _coloured_box(box: PlannedBox, tensor: Highlight) -> PlannedBox:
    """A box with its border and the name of the tensor in its colour."""
    word = re.compile(rf"(?<!\w){re.escape(tensor.name)}(?!\w)")
    texts = tuple(
        replace(words, ink=tensor.colour) if word.search(words.text) else words for words in box.texts
    )
    return replace(box, texts=texts, ink=tensor.colour)


def _faded_wire(wire: PlannedWire) -> PlannedWire:
    return replace(wire, label=_faded(wire.label), below=_faded(wire.below), ink=FADED)


def _current_box(box: PlannedBox) -> PlannedBox:
    if box.shape == "name":
        return replace(box, texts=tuple(replace(words, ink="gradient") for words in box.texts))
    header = "changed" if box.header else ""
    return replace(box, ink="gradient", fill="ground" if box.rows else "changed", header=header)
