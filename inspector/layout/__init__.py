"""Layout: a Graph in a style becomes Scenes with places in points. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inspector.graph import Graph
from inspector.graph.model import MOMENTS, Moment
from inspector.layout.child import place_in_child
from inspector.layout.compose import compose, move_panel
from inspector.layout.errors import LayoutFailed, TooManyBoxes
from inspector.layout.place import place
from inspector.layout.problem import DIRECTIONS, Direction
from inspector.layout.union import fit_plans, make_problem
from inspector.scene import Panel, Scene
from inspector.styles import STYLES, Plan, call_code, figure_title, gradient_table

MOST_BOXES = 1_000
"""Above this a graph has to be folded first."""
MOST_BOXES_IN_PROCESS = 100
"""Above this the engine runs in a child process."""
_TALL = 1.3
"""Panels that are so much taller than wide stand side by side."""

__all__ = ["DIRECTIONS", "Direction", "Figure", "LayoutFailed", "TooManyBoxes", "draw", "draw_plans"]


@dataclass(frozen=True, slots=True)
class Figure:
    """The pictures of a graph: `scene` with all panels, and each panel as a Scene of its own."""

    scene: Scene
    panels: dict[str, Scene]

    def panel(self, moment: str) -> Scene:
        """The Scene of one moment, alone. Raises KeyError with the moments that there are."""
        if moment not in self.panels:
            raise KeyError(f"no panel {moment!r}; the panels are: {', '.join(self.panels)}")
        return self.panels[moment]


def draw(
    graph: Graph,
    *,
    style: str = "attributes",
    call: str | None = None,
    title: str | None = None,
    direction: Direction | None = None,
) -> Figure:
    """The figure of a graph, before and after; of one that no backward went through, only before.

    style: a key of STYLES. call: the code of the backward call, None for what the root's name suggests.
    title: of the Scene, None for one made of the code. direction: None for what suits the graph's shape.
    Raises ValueError for an unknown style or direction, TooManyBoxes, and LayoutFailed.
    """
    if style not in STYLES:
        raise ValueError(f"no style {style!r}; the styles are: {', '.join(STYLES)}")
    if direction is not None and direction not in DIRECTIONS:
        raise ValueError(f"no direction {direction!r}; the directions are: {', '.join(DIRECTIONS)}")
    ran = bool(graph.steps) or graph.error is not None
    moments: Sequence[Moment] = MOMENTS if ran else MOMENTS[:1]
    code = call if call is not None else call_code(graph) if ran else ""
    panels = draw_plans([STYLES[style](graph, moment, code) for moment in moments], direction)
    table = gradient_table(graph)
    alone = {panel.id: _scene([panel], title or figure_title(graph, code, [panel.id]), table) for panel in panels}
    return Figure(_scene(panels, title or figure_title(graph, code, moments), table), alone)


def draw_plans(plans: Sequence[Plan], direction: Direction | None = None) -> list[Panel]:
    """One panel a plan, all with the same geometry, each with its top left corner at (0, 0).

    Raises TooManyBoxes and LayoutFailed.
    """
    plans = fit_plans(plans)
    problem = make_problem(plans, direction)
    count = len(problem.sizes) - len(problem.texts)
    if count > MOST_BOXES:
        raise TooManyBoxes(count, MOST_BOXES)
    placement = place_in_child(problem) if count > MOST_BOXES_IN_PROCESS else place(problem)
    return compose(plans, placement, horizontal=problem.horizontal)


def _scene(panels: Sequence[Panel], title: str, description: str) -> Scene:
    """Panels of one size, one below the other; tall ones side by side."""
    width, height = panels[0].area.width, panels[0].area.height
    dx, dy = (width, 0.0) if height > _TALL * width else (0.0, height)
    placed = tuple(move_panel(panel, index * dx, index * dy) for index, panel in enumerate(panels))
    last = placed[-1].area
    return Scene(last.right, last.bottom, placed, title, description)
