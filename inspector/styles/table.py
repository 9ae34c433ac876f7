"""Table of the styles: each is a function from a Subject (a Graph at one moment) to a Plan."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from inspector.options.choices import Arrows, Direction, StyleName

if TYPE_CHECKING:
    from inspector.styles.plan import Plan
    from inspector.styles.subject import Subject


class Density(Struct, frozen=True):
    """A denser way to draw a style, for a canvas. name: for remarks. turns: whether it may also run downwards."""

    name: str
    plan: Callable[[Subject], Plan]
    turns: bool = False


class Style(Struct, frozen=True):
    """A row of STYLES.

    planner: `module:function` of this package, imported on use, since a picture needs one style of all.
    direction: from the root to the leaves; None for the direction that suits the graph. arrows: the default
    direction of arrows. densities: `module:tuple` of the densities for a canvas that `plan` does not fit, richest
    first. neighbour: the style to draw instead if none of them fits.
    """

    planner: str
    direction: Direction | None = None
    arrows: Arrows = "backward"
    densities: str = ""
    neighbour: StyleName | None = None

    @property
    def plan(self) -> Callable[[Subject], Plan]:
        """The function of the style. Imports it."""
        planner: Callable[[Subject], Plan] = _loaded(self.planner)
        return planner

    @property
    def denser(self) -> tuple[Density, ...]:
        """The densities, richest first. Imports them."""
        return _loaded(self.densities) if self.densities else ()


def _loaded(name: str) -> Any:
    module, _, item = name.partition(":")
    return getattr(import_module(f"{__package__}.{module}"), item)


STYLES: dict[StyleName, Style] = {
    "attributes": Style(
        "attributes:plan_attributes", densities="compact_attributes:DENSITIES", neighbour="circuit"
    ),
    "circuit": Style("circuit:plan_circuit", "RL", "forward", "circuit_densities:CIRCUITS"),
    "partials": Style("partials:plan_partials", "TB", "forward", neighbour="circuit"),
    "record": Style("record:plan_record", "RL", "forward", neighbour="circuit"),
    "modules": Style("modules:plan_modules"),
    "engine": Style("engine:plan_engine"),
    "torchviz": Style("torchviz:plan_torchviz", "BT", "forward"),
}


def find_style(name: StyleName | None) -> Style:
    """The Style of this name; without a name, `attributes`."""
    return STYLES[name or "attributes"]
