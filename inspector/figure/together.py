"""Several backward calls in one figure: before the first, and after each.

Calls whose graphs are alike share one layout, so that a reader sees what the second changed. Others, such as a
graph and that of its derivative (`create_graph`), stand beside each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inspector.figure.canvas_fallbacks import DRAWN_AS, fit
from inspector.figure.choose_style import FOLDED_STYLE, UNFOLDED_STYLE, choose_style
from inspector.figure.drawing import Figure, draw, place_plans, scene_of
from inspector.figure.frame_plans import FramePlans
from inspector.figure.handout import handed, handed_out
from inspector.graph import Graph
from inspector.options.choices import Depth
from inspector.options.figure_options import FigureOptions
from inspector.options.presentation import PLAIN, Presentation
from inspector.scene import Panel, Scene
from inspector.scene.transform import transform_panel
from inspector.styles import Plan, gradient_table
from inspector.styles.table import Density, find_style

Calls = Sequence[tuple[Graph, str]]
"""The graph of each backward call, and its code."""


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
    """Each call after it ran, in a figure of its own, all in one style; two of them share a slide of 16:9."""
    own = replace(look, canvas="half") if look.canvas == "16:9" and len(calls) == 2 else look
    figures = _drawn(calls, own, depth, presentation)
    if own.style is None and len({_is_in_neighbour(figure) for figure in figures}) > 1:
        figures = _drawn(calls, replace(own, style=find_style(UNFOLDED_STYLE).neighbour), depth, presentation)
    shown = [list(figure.panels.values())[-1] for figure in figures]
    panels, left = list[Panel](), 0.0
    for number, scene in enumerate(shown, start=1):
        panels.append(replace(transform_panel(scene.panels[0], left, 0.0), id=f"after-{number}"))
        left += scene.width
    description = "\n".join(dict.fromkeys(line for scene in shown for line in scene.description.splitlines()))
    height = max(scene.height for scene in shown)
    together = Scene(left, height, tuple(panels), _title(calls), description)
    alone = {f"after-{number}": scene for number, scene in enumerate(shown, start=1)}
    remarks = dict.fromkeys(remark for figure in figures for remark in figure.remarks)
    return Figure(together, alone, tuple(remarks))


def _is_in_neighbour(figure: Figure) -> bool:
    """Whether a figure did not fit its canvas in its own style."""
    return any(DRAWN_AS in remark for remark in figure.remarks)


def _drawn(calls: Calls, look: FigureOptions, depth: Depth, presentation: Presentation) -> list[Figure]:
    return [draw(graph, look, call=code, depth=depth, presentation=presentation) for graph, code in calls]


def _title(calls: Calls) -> str:
    return "backward calls " + "; ".join(code for _, code in calls)
