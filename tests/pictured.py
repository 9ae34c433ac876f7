"""What stands in a picture: the texts of its boxes and wires, by their ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inspector.figure.compose import compose
from inspector.figure.drawing import place_plans
from inspector.figure.frame_plans import FramePlans
from inspector.graph import Graph
from inspector.layout.problem import ROOMY, Spacing
from inspector.options import FigureOptions
from inspector.options.choices import Direction
from inspector.scene import Panel
from inspector.styles import Plan, call_code


def plan(graph: Graph, moment: str, style: str, **look: object) -> Plan:
    """The plan of a style at a moment."""
    return FramePlans(FigureOptions(style=style, **look), call_code(graph)).plan(graph, moment)  # type: ignore[arg-type]


def draw_plans(plans: Sequence[Plan], direction: Direction | None = None, spacing: Spacing = ROOMY) -> list[Panel]:
    """One panel per plan, all with the same geometry, each with its top left corner at (0, 0)."""
    return compose(*place_plans(plans, direction, spacing)).panels()


def labels(shown: Plan) -> list[str]:
    """The texts of all wires, each wire's lines joined."""
    texts = [(wire.label, wire.below) for wire in shown.wires]
    return sorted(" ".join(words.text for words in lines) for pair in texts for lines in pair if lines)


def boxes(shown: Plan, *shapes: str) -> list[str]:
    """The texts of all boxes of these shapes, each box's lines joined by a bar."""
    return sorted("|".join(words.text for words in box.texts) for box in shown.boxes if box.shape in shapes)


def badges(shown: Plan) -> dict[str, str]:
    """Id of a box → the number on it."""
    return {box.id: box.badge for box in shown.boxes if box.badge}


def panel_texts(panel: Panel) -> Iterator[str]:
    """Every text of a panel."""
    for part in (*panel.boxes, *panel.wires):
        for text in part.texts:
            yield text.text
    for badge in panel.badges:
        yield badge.text
