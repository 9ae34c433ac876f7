"""Table of the styles: each is a function from a Subject (a Graph at one moment) to a Plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inspector.options.choices import Arrows, Direction, StyleName
from inspector.styles.attributes import plan_attributes
from inspector.styles.circuit import plan_circuit
from inspector.styles.engine import plan_engine
from inspector.styles.modules import plan_modules
from inspector.styles.partials import plan_partials
from inspector.styles.plan import Plan
from inspector.styles.record import plan_record
from inspector.styles.subject import Subject
from inspector.styles.torchviz import plan_torchviz


@dataclass(frozen=True, slots=True)
class Style:
    """A row of STYLES.

    direction: from the root to the leaves; None for the direction that suits the graph. arrows: the default
    direction of arrows.
    """

    plan: Callable[[Subject], Plan]
    direction: Direction | None = None
    arrows: Arrows = "backward"


STYLES: dict[StyleName, Style] = {
    "attributes": Style(plan_attributes),
    "circuit": Style(plan_circuit, "RL", "forward"),
    "partials": Style(plan_partials, "TB", "forward"),
    "record": Style(plan_record, "RL", "forward"),
    "modules": Style(plan_modules),
    "engine": Style(plan_engine),
    "torchviz": Style(plan_torchviz, "BT", "forward"),
}


def find_style(name: StyleName | None) -> Style:
    """The Style of this name; without a name, `attributes`."""
    return STYLES[name or "attributes"]
