"""Draw a Graph as one figure (before and after) or as frames (step by step). No torch needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from inspector.figure.canvas import SIZES, SMALLEST, FittedPanels
from inspector.figure.canvas_fallbacks import Making, PlacedPlans, fit
from inspector.figure.choose_style import (
    FOLDED_STYLE,
    UNFOLDED_STYLE,
    choose_style,
    depends_on_size,
    fits_two_screens,
    is_folded,
    note,
)
from inspector.figure.frame_plans import FramePlans
from inspector.figure.handout import handed, handed_out
from inspector.figure.layout_problem import fit_plans, make_problem
from inspector.figure.reveal import FORWARD, forward_turns, hidden_after, moment_of, without_nodes
from inspector.folding import ROOMS, FoldedGraph, fold, merge_neighbours
from inspector.folding.boxes import members
from inspector.folding.folded_graph import items_of, make_folded_graph, whole_of, with_step_order
from inspector.graph import Graph
from inspector.graph.inner_parts import closed, opened, operation_count
from inspector.graph.model import MOMENTS
from inspector.graph.row_types import InnerPart
from inspector.graph.step_replay import ReplayFrame, after_steps, replay_frames
from inspector.graph.topology import topology_of
from inspector.layout.articulation_segments import place_segments
from inspector.layout.errors import LayoutFailed, TooManyBoxes
from inspector.layout.layered import place
from inspector.layout.problem import Placement, Problem, Spacing
from inspector.options.choices import Depth, Direction, Handout
from inspector.options.figure_options import FigureOptions, without_heat_maps
from inspector.options.presentation import PLAIN, Presentation
from inspector.scene import Panel, Scene
from inspector.scene.transform import transform_panel
from inspector.styles import Plan, call_code, figure_title, gradient_table
from inspector.styles.inner_groups import STYLES_WITH_GROUPS
from inspector.styles.plan import CircuitPlan, GroupedPlan
from inspector.styles.table import Density
from inspector.typography import pluralize
from inspector.util.gc_pause import gc_paused

MOST_BOXES = 3_000
"""Maximum boxes of an unfolded graph."""
MOST_BOXES_IN_PROCESS = 100
"""Maximum boxes for layout in this process; above this a child process runs the engine."""
MOST_FRAMES = 100
"""Maximum frames; above this several steps share a frame."""
_FURTHER = (3, 2, 1)
"""Depths to try if automatic depth is too large for the canvas."""
_FEWER = (20, 16, 14, 12, 10, 9, 8, 7, 6, 5, 4, 3, 2)
"""Maximum boxes to try if no depth is small enough: neighbours are merged."""

_MOST_ON_HALF_A_SLIDE = 14
"""Boxes of a panel for which half a slide is tried."""
_HOPELESS = 8.0
"""Width, in canvases, above which a figure is folded in any case."""


class Figure(Struct, frozen=True):
    """The pictures of a graph: `scene` with all panels, and each panel as its own Scene.

    remarks: deviations from the options, one line each. look: the options in which it was drawn, and the density;
    None for a figure that does not fit.
    """

    scene: Scene
    panels: dict[str, Scene]
    remarks: tuple[str, ...] = ()
    look: tuple[FigureOptions, Density | None] | None = None


_Redraw: TypeAlias = Callable[..., Figure]
"""`draw` or `frames` again, with a graph, a look and a depth."""


@gc_paused()
def draw(
    graph: Graph,
    look: FigureOptions | None = None,
    *,
    call: str | None = None,
    script: str | None = None,
    depth: Depth = "auto",
    presentation: Presentation = PLAIN,
) -> Figure:
    """The figure of a graph, before and after; only before if backward has not run.

    call: the code of the backward call, by default from the root's name. script: the source of the script, for the
    listing beside the graph. depth: how far to fold a model; a folded `scene` only shows after.
    presentation: title, words, colours, handout.
    Raises ValueError for an unknown style, path or depth, TooManyBoxes, and LayoutFailed.
    """
    whole, asked = graph, look or FigureOptions()
    may_fold = depends_on_size(graph, asked, depth)
    graph, look = choose_style(graph, asked, depth)
    code = call if call is not None else call_code(graph) if graph.ran else ""
    plans = partial(
        _before_and_after, graph, partial(FramePlans, call=code, script=script, presentation=presentation)
    )
    redraw = partial(draw, call=call, script=script, presentation=presentation)
    try:
        _refuse_too_many(graph, look, depth)
        fitted = fit(plans, look, look.canvas or "tight", place_plans, asked=asked.style is not None)
        fitted = handed(fitted, presentation.handout)
    except LayoutFailed as failure:
        return _folded_instead(failure, whole, look, depth, redraw)
    if fitted.needs and (smaller := _draw_smaller(whole, look, fitted, depth, redraw)) is not None:
        return smaller
    both = _together(fitted, plans, look, presentation.handout)
    remarks = (*_remarks(fitted, look), *note(graph))
    figure = _figure(fitted, both, partial(figure_title, graph, code), whole, remarks)
    if may_fold and not _fits_two_screens(figure):
        has_heat_maps = look.values == "auto" and any(plan.has_heat_maps for plan in plans(look, None))
        return _for_two_screens(figure, whole, asked, has_heat_maps=has_heat_maps, redraw=redraw)
    return _with_boxes_that_fit(figure, whole, look, depth, redraw)


def _left_out(parts: Mapping[str, InnerPart]) -> str:
    """`9 operations inside of Nodes left out`"""
    return f"{pluralize(operation_count(parts), 'operation')} inside of Nodes left out"


def _before_and_after(
    graph: Graph, made: Callable[..., FramePlans], look: FigureOptions, density: Density | None
) -> list[Plan]:
    """The plans of the moments of a graph. made: returns what plans them, in a look and a density."""
    plans = made(look, density=density)
    drawn = [plans.plan(graph, moment) for moment in MOMENTS[: 1 + graph.ran]]
    return handed_out(drawn, graph, plans.presentation.handout)


def _for_two_screens(
    figure: Figure, graph: Graph, asked: FigureOptions, *, has_heat_maps: bool, redraw: _Redraw
) -> Figure:
    """The figure with less in it: without heat maps, with functions closed, or folded."""
    plain = redraw(graph, without_heat_maps(asked)) if has_heat_maps else figure
    if has_heat_maps and not plain.remarks and _fits_two_screens(plain):
        return _with_remark(plain, "heat maps left out, to fit two screens; --values heat draws them")
    if parts := opened(graph):
        remark = f"{_left_out(parts)}, to fit two screens; --style {UNFOLDED_STYLE} draws them"
        return _with_remark(redraw(closed(graph), asked), remark)
    return plain if has_heat_maps else _smaller(figure, redraw(graph, replace(asked, style=FOLDED_STYLE)), graph)


def _folded_instead(
    failure: LayoutFailed, graph: Graph, look: FigureOptions, depth: Depth, redraw: _Redraw
) -> Figure:
    """The figure folded, after it could not be laid out. Raises the failure if it may not be folded."""
    if look.style != FOLDED_STYLE or depth == "auto" or is_folded(graph):
        raise failure
    return _with_remark(redraw(graph, look, depth="auto"), f"{str(failure).partition(':')[0]}; drawn folded")


def _together(
    fitted: FittedPanels, plans: Making, look: FigureOptions, handout: Handout | None
) -> Sequence[Panel]:
    """The panels of the scene with all panels."""
    both: Sequence[Panel] = fitted.panels if look.style != FOLDED_STYLE else fitted.panels[-1:]
    if look.canvas == "16:9" and len(both) == 2:
        return _on_one_slide(plans, look, handout) or both
    return both


def _on_one_slide(
    plans: Making, look: FigureOptions, handout: Handout | None
) -> Sequence[Panel]:
    """The panels before and after, each in half a slide; none if more than the legend were left out for that."""

    def bare(look: FigureOptions, density: Density | None) -> list[Plan]:
        return [replace(plan, legend=()) for plan in plans(look, density)]

    if any(len(plan.boxes) > _MOST_ON_HALF_A_SLIDE for plan in bare(look, None)):
        return ()
    fitted = handed(fit(bare, look, "half", place_plans), handout)
    return () if fitted.needs or fitted.remark else fitted.panels


def _with_boxes_that_fit(
    figure: Figure, whole: Graph, look: FigureOptions, depth: Depth, redraw: _Redraw
) -> Figure:
    """The figure, or one with fewer boxes if the depth is free and it does not fit two screens."""
    if look.style != FOLDED_STYLE or depth != "auto" or look.canvas not in (None, "tight") or is_folded(whole):
        return figure
    return _with_less_room(figure, whole, look, redraw)


def _with_less_room(figure: Figure, graph: Graph, look: FigureOptions, redraw: _Redraw) -> Figure:
    """The figure, or one with fewer boxes if it does not fit two screens."""
    for room in ROOMS[1:]:
        if _fits_two_screens(figure):
            break
        folded = fold(graph, room=room)
        if is_folded(folded):
            smaller = redraw(folded, look)
            figure = min(figure, smaller, key=lambda figure: figure.scene.width * figure.scene.height)
    return figure


def _fits_two_screens(figure: Figure) -> bool:
    return fits_two_screens(figure.scene.width, figure.scene.height)


def _smaller(figure: Figure, folded: Figure, graph: Graph) -> Figure:
    """The figure, or the folded one if that is smaller, with a remark."""
    width, height = figure.scene.width, figure.scene.height
    if folded.scene.width * folded.scene.height >= width * height:
        return figure
    nodes = pluralize(sum(1 for _ in graph.functions()), "Node")
    remark = (
        f"{nodes} in the style {UNFOLDED_STYLE} take {width:,.0f} by {height:,.0f} points: drawn in the style "
        f"{FOLDED_STYLE}; --style {UNFOLDED_STYLE} draws every tensor"
    )
    return _with_remark(folded, remark)


def _figure(
    fitted: FittedPanels,
    together: Sequence[Panel],
    title_of: Callable[[Sequence[str]], str],
    graph: Graph,
    remarks: tuple[str, ...],
) -> Figure:
    """together: the panels of `scene`. title_of: ids of panels → their title. graph: whose gradients its table
    lists."""
    table = gradient_table(graph.whole if isinstance(graph, FoldedGraph) else graph)
    alone = {panel.id: scene_of([panel], title_of([panel.id]), table) for panel in fitted.panels}
    look = None if fitted.needs else fitted.look
    return Figure(scene_of(together, title_of([panel.id for panel in together]), table), alone, remarks, look)


def _draw_smaller(
    graph: Graph, look: FigureOptions, fitted: FittedPanels, depth: Depth, redraw: _Redraw
) -> Figure | None:
    """The figure folded, or folded further, with a remark; None if that is not allowed, or would still not fit
    (unless the whole figure is hopelessly wide)."""
    if depth != "auto" or look.path or (look.code and look.style != FOLDED_STYLE):
        return None  # a full graph, a path or a listing was requested
    if look.style == FOLDED_STYLE:
        return None if is_folded(graph) else _folded_further(graph, look, fitted, redraw)
    if look.style in STYLES_WITH_GROUPS and (parts := opened(graph)):
        remark = f"{_needs_text(look, fitted)}; {_left_out(parts)}"
        return _with_remark(redraw(closed(graph), look, depth=depth), remark)
    folded_look = replace(look, style=FOLDED_STYLE, detail=None)
    figure = redraw(graph, folded_look, depth=depth)
    if not _fits_canvas(figure, folded_look) and not _is_hopeless(fitted, look):
        return None
    return _with_remark(figure, _folded_for(look, fitted))


def _folded_further(graph: Graph, look: FigureOptions, fitted: FittedPanels, redraw: _Redraw) -> Figure | None:
    """The figure folded to a smaller depth, else with neighbours merged, as far as the canvas needs."""
    tried = {_items_shown(fold(graph))}
    for further in _FURTHER:
        shown = _items_shown(fold(graph, further))
        if shown not in tried and _fits_canvas(figure := redraw(graph, look, depth=further), look):
            return _with_remark(figure, f"{_needs_text(look, fitted)}; folded to depth {further}")
        tried.add(shown)
    flat = fold(graph, 1)
    base = flat if any(node["why"] == "equal" for _, node in flat.folds()) else graph  # stacks stay whole
    found, first, last = None, 0, len(_FEWER)
    while first < last:
        middle = (first + last) // 2
        joined = merge_neighbours(base, _FEWER[middle])
        if is_folded(joined) and _fits_canvas(figure := redraw(joined, look, depth=1), look):
            found, last = figure, middle
        else:
            first = middle + 1
    return found and _with_remark(found, f"{_needs_text(look, fitted)}; neighbouring Nodes share a box")


def _items_shown(graph: Graph) -> tuple[tuple[int, ...], ...]:
    """The members of each item: foldings with the same items give the same figure."""
    return tuple(tuple(members(item)) for item in items_of(graph))


def _with_remark(figure: Figure, remark: str) -> Figure:
    """The figure with one more remark, placed first."""
    return replace(figure, remarks=(remark, *figure.remarks))


def _refuse_too_many(graph: Graph, look: FigureOptions, depth: Depth) -> None:
    """Raise TooManyBoxes before the expensive planning. Leaves are attached to boxes and do not count."""
    if look.style != FOLDED_STYLE or depth != "full":
        return
    of = topology_of(graph)
    boxes = sum(1 for _ in graph.folds()) if graph.has_boxes else 0
    count = boxes + len(of) - sum(of.leaf_flags)
    if count > MOST_BOXES:
        raise TooManyBoxes(count, MOST_BOXES)


def frames(
    graph: Graph,
    look: FigureOptions | None = None,
    *,
    call: str | None = None,
    script: str | None = None,
    depth: Depth = "auto",
    presentation: Presentation = PLAIN,
) -> Figure:
    """The figure of a graph step by step: before, one panel per step of the engine, after.

    The panels (`before`, `step-01`, …, `after`) have the same geometry; `scene` is the last one. If backward
    raised, the last panel shows the error. The `modules` style has one panel per box, in the order of their first
    steps; above 100 steps several share a panel. presentation: with `reveal`, panels of the forward
    (`forward-00`, …) come first, each with what it has reached. The rest is as in `draw`.
    """
    graph = with_step_order(graph, presentation.order)
    whole = whole_of(graph)
    asked = look is not None and look.style is not None
    shown, look = choose_style(graph, _of_frames(look or FigureOptions()), depth)
    code = call if call is not None else call_code(whole) if whole.steps else ""
    found = replay_frames(shown, MOST_FRAMES)
    made = partial(FramePlans, call=code, script=script, presentation=presentation)

    def plans(look: FigureOptions, density: Density | None) -> list[Plan]:
        steps = made(look, density=density).steps(shown, found, partial(_after, whole, shown))
        return handed_out(list(steps), shown, presentation.handout)

    def one(look: FigureOptions, density: Density | None) -> list[Plan]:
        return [made(look, density=density).plan(shown, "after" if shown.ran else "before")]

    redraw = partial(frames, call=call, script=script, presentation=presentation)
    for some in (one, plans):  # if a single frame is too large, all frames are
        fitted = fit(some, look, look.canvas or "16:9", place_plans, asked=asked)
        if fitted.needs and (smaller := _draw_smaller(graph, look, fitted, depth, redraw)) is not None:
            return smaller
    remarks = (*_remarks(fitted, look), *_shared_frames_remark(found, len(whole.steps)), *note(shown))
    fitted = _revealed(handed(fitted, presentation.handout), shown, found)
    figure = _figure(fitted, fitted.panels[-1:], partial(_title_of_frame, whole, code), whole, remarks)
    return _captioned(figure, made(look).captions(shown, found))


def _of_frames(look: FigureOptions) -> FigureOptions:
    return replace(look, canvas=look.canvas or "16:9")


def _after(whole: Graph, shown: Graph, count: int) -> Graph:
    """The graph after some steps, folded as the one that is shown."""
    partly = after_steps(whole, count)
    return make_folded_graph(partly, items_of(shown), shown.note) if isinstance(shown, FoldedGraph) else partly


def _title_of_frame(graph: Graph, code: str, moments: Sequence[str]) -> str:
    """The title; the forward has no call."""
    return figure_title(graph, "" if moments[-1].startswith(FORWARD) else code, moments)


def _revealed(fitted: FittedPanels, shown: Graph, found: Sequence[ReplayFrame]) -> FittedPanels:
    """The panels; those of the forward without what they have not reached."""
    turns = forward_turns(shown, found)
    hidden = {moment_of(count): hidden_after(shown, turns, count) for count in range(len(turns) + 1)}
    panels = [without_nodes(panel, hidden.get(panel.id, ())) for panel in fitted.panels]
    return replace(fitted, panels=panels)


def _captioned(figure: Figure, captions: Mapping[str, str]) -> Figure:
    """The figure with a caption for each panel."""
    panels = {name: replace(scene, caption=captions.get(name, "")) for name, scene in figure.panels.items()}
    return replace(figure, panels=panels)


def _shared_frames_remark(found: Sequence[ReplayFrame], steps: int) -> tuple[str, ...]:
    """A remark if several steps share a frame."""
    most = max((len(turn.shown) for turn in found), default=0)
    if most < 2:
        return ()
    return (f"{steps:,} steps in {pluralize(len(found), 'frame')}, up to {most} steps in each",)


def place_plans(plans: Sequence[Plan], direction: Direction | None, spacing: Spacing) -> PlacedPlans:
    """The plans with their texts fitted, and one layout for all of them. Raises TooManyBoxes and LayoutFailed."""
    plans = fit_plans(plans)
    problem = make_problem(plans, direction, spacing)
    count = len(problem.sizes) - len(problem.texts)
    if count > MOST_BOXES:
        raise TooManyBoxes(count, MOST_BOXES)
    if count <= MOST_BOXES_IN_PROCESS:
        if isinstance(plans[0], CircuitPlan):
            from inspector.layout.circuit import place_circuit  # other styles do not need it

            passes = [one.hosts for one in plans[0].passes]
            return plans, place_circuit(problem, passes, even=plans[0].even), problem
        return plans, place(problem, plans[0].groups if isinstance(plans[0], GroupedPlan) else ()), problem
    whole = replace(problem, spacing=replace(spacing, rows=1))
    return plans, place_segments(whole, _part_placed), whole


def _part_placed(problem: Problem) -> Placement:
    """The positions of a problem, or of a part of one."""
    count = len(problem.sizes) - len(problem.texts)
    if count <= MOST_BOXES_IN_PROCESS:
        return place(problem)
    from inspector.layout.subprocess_layout import place_in_subprocess

    return place_in_subprocess(problem)


# ---- what does not fit ------------------------------------------------------------------------------------


def _fits_canvas(figure: Figure, look: FigureOptions) -> bool:
    """Whether the panels of a figure have the size of its canvas."""
    return all((panel.width, panel.height) == SIZES[look.canvas or "16:9"] for panel in figure.panels.values())


def _is_hopeless(fitted: FittedPanels, look: FigureOptions) -> bool:
    """Whether a figure is so much wider than its canvas that folding is better in any case."""
    return fitted.needs is not None and fitted.needs[0] > _HOPELESS * SIZES[look.canvas or "16:9"][0]


def _folded_for(look: FigureOptions, fitted: FittedPanels) -> str:
    return (
        f"{_needs_text(look, fitted)}; drawn folded, in the style {FOLDED_STYLE} (--depth full draws every Node)"
    )


def _remarks(fitted: FittedPanels, look: FigureOptions) -> tuple[str, ...]:
    if fitted.needs:
        advice = "fold the graph (--depth), show less (--detail beginner) or choose another style"
        return (f"{_needs_text(look, fitted)}; {advice}",)
    return (fitted.remark,) if fitted.remark else ()


def _needs_text(look: FigureOptions, fitted: FittedPanels) -> str:
    width, height = fitted.needs or (0.0, 0.0)
    return (
        f"the figure does not fit a {look.canvas} canvas: with {SMALLEST:g} pt text the style {look.style} needs "
        f"{width:.0f} by {height:.0f} points"
    )


# ---- Scenes -----------------------------------------------------------------------------------------------


def scene_of(panels: Sequence[Panel], title: str, description: str) -> Scene:
    """Panels of one size, one below the other; those taller than wide side by side."""
    width, height = panels[0].area.width, panels[0].area.height
    dx, dy = (width, 0.0) if height > width else (0.0, height)
    placed = tuple(transform_panel(panel, index * dx, index * dy) for index, panel in enumerate(panels))
    last = placed[-1].area
    return Scene(last.right, last.bottom, placed, title, description)
