"""Several backward calls in one figure: before the first, and after each.

Calls whose graphs are alike share one layout, so that a reader sees what the second changed. Others, such as a
graph and that of its derivative (`create_graph`), stand beside each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from inspector.figure.canvas_fallbacks import fit, fit_as
from inspector.figure.choose_style import FOLDED_STYLE, choose_style
from inspector.figure.drawing import Figure, draw, place_plans, scene_of
from inspector.figure.frame_plans import FramePlans
from inspector.figure.handout import handed, handed_out
from inspector.graph import Graph
from inspector.options.choices import Canvas, Depth, Direction
from inspector.options.figure_options import FigureOptions
from inspector.options.presentation import PLAIN, Presentation
from inspector.scene import Panel, Scene
from inspector.scene.transform import transform_panel
from inspector.styles import Plan, figure_title, gradient_table
from inspector.styles.table import Density, find_style

Calls = Sequence[tuple[Graph, str]]
"""The graph of each backward call, and its code."""
_HALVES: tuple[Canvas, ...] = ("half", "strip")
_FOLDED = 1_000
"""Denser than every density."""
_TURNABLE = "circuit"
"""The style that reads as well from side to side as upwards."""


def draw_together(
    calls: Calls, look: FigureOptions, *, depth: Depth = "auto", presentation: Presentation = PLAIN
) -> Figure:
    """One figure of several calls. Raises the errors of `draw`."""
    named = [(graph, f"{number}: {code}") for number, (graph, code) in enumerate(calls, start=1)]
    _, chosen = choose_style(calls[0][0], look, depth)
    if chosen.style != FOLDED_STYLE and _are_alike([graph for graph, _ in calls]):
        return _over_one_layout(named, chosen, presentation)
    return _beside(named, look, depth, presentation)


def _are_alike(graphs: Sequence[Graph]) -> bool:
    """Whether the graphs have the same nodes of the same names, and the same edges."""
    first, *others = map(_skeleton, graphs)
    return all(other == first for other in others)


def _skeleton(graph: Graph) -> tuple[object, ...]:
    nodes = {key: (node["kind"], node["name"]) for key, node in graph.rows.nodes.items()}
    edges = sorted((source, target, edge["slot"]) for source, target, edge in graph.edges("next"))
    return nodes, edges


def _over_one_layout(calls: Calls, look: FigureOptions, presentation: Presentation) -> Figure:
    (first, code), *_ = calls

    def plans(look: FigureOptions, density: Density | None) -> list[Plan]:
        made = [FramePlans(look, code, presentation=presentation, density=density).plan(first, "before")]
        for number, (graph, code_of) in enumerate(calls, start=1):
            after = FramePlans(look, code_of, presentation=presentation, density=density).plan(graph, "after")
            made.append(replace(after, moment=f"after-{number}"))
        return handed_out(made, first, presentation.handout)

    fitted = handed(fit(plans, look, look.canvas or "tight", place_plans), presentation.handout)
    scene = scene_of(fitted.panels, _title(calls), gradient_table(calls[-1][0]))
    alone = {panel.id: scene_of([panel], _title(calls), scene.description) for panel in fitted.panels}
    return Figure(scene, alone, (fitted.remark,) if fitted.remark else ())


def _beside(calls: Calls, look: FigureOptions, depth: Depth, presentation: Presentation) -> Figure:
    """Each call after it ran, in a figure of its own, all in one look; two of them share a slide of 16:9."""
    parts: list[Figure] = []
    canvas = look.canvas
    for tried in _HALVES if look.canvas == "16:9" and len(calls) == 2 else (look.canvas,):
        found = _in_one_look(calls, replace(look, canvas=tried), depth, presentation)
        if not parts or _density(found) < _density(parts):
            parts, canvas = found, tried
        if _density(parts)[0] < 0:
            break
    shown = [list(figure.panels.values())[-1] for figure in parts]
    panels, left, top = list[Panel](), 0.0, 0.0
    starts = [min((text.y for box in scene.panels[0].boxes for text in box.texts), default=0.0) for scene in shown]
    for number, scene in enumerate(shown, start=1):
        rise = 0.0 if canvas == "strip" else starts[number - 1] - min(starts)  # the titles stand on one line
        moved, area = transform_panel(scene.panels[0], left, top - rise), scene.panels[0].area.moved(left, top)
        panels.append(replace(moved, id=f"after-{number}", area=area))
        left, top = (left, top + scene.height) if canvas == "strip" else (left + scene.width, top)
    description = "\n".join(dict.fromkeys(line for scene in shown for line in scene.description.splitlines()))
    width, height = max(panel.area.right for panel in panels), max(panel.area.bottom for panel in panels)
    together = Scene(width, height, tuple(panels), _title(calls), description)
    alone = {f"after-{number}": scene for number, scene in enumerate(shown, start=1)}
    remarks = dict.fromkeys(remark for figure in parts for remark in figure.remarks)
    return Figure(together, alone, tuple(remarks))


def _in_one_look(
    calls: Calls, look: FigureOptions, depth: Depth, presentation: Presentation
) -> list[Figure]:
    """The figures of the calls in the style, density and direction of the densest, if all of them fit so."""
    figures = [
        draw(graph, look, call=code, depth=depth, presentation=presentation) for graph, code in calls
    ]
    looks = [figure.look for figure in figures]
    densest = max(figures, key=_density_of).look
    if densest is None or None in looks:
        return figures
    own, density = densest
    for look, _ in filter(None, looks):  # the details that one of them leaves out
        own = replace(own, detail=own.detail or look.detail, derivatives=own.derivatives or look.derivatives)
    ways: list[Direction | None] = [own.direction]
    if density is None and own.style == _TURNABLE and own.direction is None:
        ways = ["RL", "TB"] if look.canvas == "strip" else ["TB", "RL"]
    for way in ways:
        alike = [_drawn_as(call, replace(own, direction=way), density, presentation) for call in calls]
        if all(figure.look is not None for figure in alike):
            return alike
    return figures


def _drawn_as(
    call: tuple[Graph, str], look: FigureOptions, density: Density | None, presentation: Presentation
) -> Figure:
    """A call after it ran, in a given look; without one if it does not fit so."""
    graph, code = call

    def plans(look: FigureOptions, density: Density | None) -> list[Plan]:
        made = FramePlans(look, code, presentation=presentation, density=density).plan(graph, "after")
        return handed_out([made], graph, presentation.handout)

    fitted = fit_as(plans, look, look.canvas or "tight", place_plans, density)
    fitted = handed(fitted, presentation.handout)
    scene = scene_of(fitted.panels, figure_title(graph, code, ["after"]), gradient_table(graph))
    remarks = (fitted.remark,) if fitted.remark else ()
    return Figure(scene, {"after": scene}, remarks, None if fitted.needs else fitted.look)


def _density(figures: Sequence[Figure]) -> tuple[int, int]:
    return max(map(_density_of, figures))


def _density_of(figure: Figure) -> tuple[int, int]:
    """How dense a figure is: the place of its density in the table, negative if it is drawn as its style draws it;
    then the number of details left out."""
    if figure.look is None or figure.look[0].style == FOLDED_STYLE:
        return _FOLDED, 0
    look, density = figure.look
    every = find_style(look.style).denser
    place = -1 if density is None else every.index(density) if density in every else 0
    return place, (look.detail is not None) + (look.derivatives is not None)


def _title(calls: Calls) -> str:
    return "backward calls " + "; ".join(code for _, code in calls)
