"""Layout: a Graph in a style becomes Scenes with places in points. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

from inspector.collector import without_collections
from inspector.graph import Graph
from inspector.graph.model import MOMENTS, Moment
from inspector.graph.playback import after_steps, reordered, turns
from inspector.layout.canvas import Choice, fit_canvas, frame
from inspector.layout.child import place_in_child
from inspector.layout.compose import compose, move_panel
from inspector.layout.errors import LayoutFailed, TooManyBoxes
from inspector.layout.folding import FOLDED_STYLE, folded, is_folded, note
from inspector.layout.place import place
from inspector.layout.problem import CLOSE, ROOMY, Placement, Problem, Size, Spacing
from inspector.layout.segments import place_segments
from inspector.layout.union import fit_plans, make_problem
from inspector.look import DIRECTIONS, Canvas, Direction, Look, Order
from inspector.scene import Panel, Scene
from inspector.styles import Plan, call_code, figure_title, find_style, gradient_table
from inspector.styles.moments import Moments
from inspector.views import Depth, FoldedGraph
from inspector.views.folded import items_of, view, whole_of

MOST_BOXES = 3_000
"""Above this a graph has to be folded first."""
MOST_BOXES_IN_PROCESS = 100
"""Above this the engine runs in a child process."""
MOST_FRAMES = 100
"""Above this several steps share a frame."""
_TALL = 1.3
"""Panels that are so much taller than wide stand side by side."""

__all__ = [
    "DIRECTIONS",
    "Direction",
    "Figure",
    "LayoutFailed",
    "Look",
    "TooManyBoxes",
    "draw",
    "draw_plans",
    "frame_count",
    "frames",
]


@dataclass(frozen=True, slots=True)
class Figure:
    """The pictures of a graph: `scene` with all panels, and each panel as a Scene of its own.

    remarks: what did not come out as it was wished, one line each.
    """

    scene: Scene
    panels: dict[str, Scene]
    remarks: tuple[str, ...] = ()

    def panel(self, moment: str) -> Scene:
        """The Scene of one moment, alone. Raises KeyError with the moments that there are."""
        if moment not in self.panels:
            raise KeyError(f"no panel {moment!r}; the panels are: {', '.join(self.panels)}")
        return self.panels[moment]


@without_collections()
def draw(
    graph: Graph,
    look: Look | None = None,
    *,
    call: str | None = None,
    title: str | None = None,
    script: str | None = None,
    depth: Depth = "auto",
) -> Figure:
    """The figure of a graph, before and after; of one that no backward went through, only before.

    look: how it is to look. call: the code of the backward call, None for what the root's name suggests.
    title: of the Scene, None for one made of the code. script: the text of the script, for the code beside the
    graph. depth: how far a model is folded (`inspector.views.fold`); its `scene` shows only after.
    Raises ValueError for an unknown style, path or depth, TooManyBoxes, and LayoutFailed.
    """
    whole = graph
    graph, look = folded(graph, look or Look(), depth)
    ran = graph.ran
    moments: Sequence[Moment] = MOMENTS if ran else MOMENTS[:1]
    code = call if call is not None else call_code(graph) if ran else ""

    def plans(look: Look) -> list[Plan]:
        return [Moments(look, code, script).plan(graph, moment) for moment in moments]

    try:
        if look.style == FOLDED_STYLE and depth == "full":
            _refuse_too_many(graph)
        panels, remarks = _panels(plans, look, look.canvas or "tight")
    except LayoutFailed as failure:
        if look.style != FOLDED_STYLE or depth != "full" or is_folded(graph):
            raise
        figure = draw(graph, look, call=call, title=title, script=script)
        reason = str(failure).partition(":")[0]
        return replace(figure, remarks=(f"{reason}: it is drawn folded", *figure.remarks))
    table = gradient_table(whole)
    both = panels if look.style != FOLDED_STYLE else panels[-1:]
    alone = {panel.id: _scene([panel], title or figure_title(graph, code, [panel.id]), table) for panel in panels}
    scene = _scene(both, title or figure_title(graph, code, [panel.id for panel in both]), table)
    return Figure(scene, alone, (*remarks, *note(graph)))


def _refuse_too_many(graph: Graph) -> None:
    """Raise TooManyBoxes before much is planned: leaves hang on boxes and do not count."""
    count = sum(node["kind"] != "tensor" and not node["is_leaf"] for _, node in graph.network.nodes(data=True))
    if count > MOST_BOXES:
        raise TooManyBoxes(count, MOST_BOXES)


def frames(
    graph: Graph,
    look: Look | None = None,
    *,
    call: str | None = None,
    order: Order = "engine",
    script: str | None = None,
    depth: Depth = "auto",
) -> Figure:
    """The figure of a graph step by step: before, one panel for each step of the engine, after.

    The panels (`before`, `step-01`, …, `after`) have the same geometry; `scene` is the last of them. Where
    backward raised, the last panel says what. order: the engine's, or level by level as in textbooks. The style
    of models has a panel for each of its boxes, in the order of their first steps; of more than 100 steps
    several share a panel. depth: as of `draw`. Raises what `draw` does.
    """
    whole = reordered(whole_of(graph), order)
    graph = view(whole, items_of(graph), graph.note) if isinstance(graph, FoldedGraph) else whole
    shown, look = folded(graph, look or Look(), depth)
    code = call if call is not None else call_code(whole) if whole.steps else ""
    found = turns(shown, MOST_FRAMES)

    def at(count: int) -> Graph:
        partly = after_steps(whole, count)
        return view(partly, items_of(shown), shown.note) if isinstance(shown, FoldedGraph) else partly

    def plans(look: Look) -> list[Plan]:
        return list(Moments(look, code, script).steps(shown, found, at, order))

    panels, remarks = _panels(plans, look, look.canvas or "16:9")
    table = gradient_table(whole)
    scenes = {panel.id: _scene([panel], figure_title(whole, code, [panel.id]), table) for panel in panels}
    shared = max((len(turn.shown) for turn in found), default=0)
    if shared > 1:
        remarks += (f"{len(whole.steps):,} steps in {len(found)} frames, up to {shared} of them in one",)
    return Figure(scenes[panels[-1].id], scenes, (*remarks, *note(shown)))


def frame_count(graph: Graph, look: Look, depth: Depth = "auto") -> int:
    """How many panels `frames` has, without a layout."""
    if not graph.steps and graph.error is None:
        return 1
    return len(turns(folded(graph, look, depth)[0], MOST_FRAMES)) + 2


def draw_plans(plans: Sequence[Plan], direction: Direction | None = None) -> list[Panel]:
    """One panel a plan, all with the same geometry, each with its top left corner at (0, 0).

    Raises TooManyBoxes and LayoutFailed.
    """
    return compose(*_placed(plans, direction, ROOMY))


_Placed = tuple[list[Plan], Placement, Problem]
"""Fitted plans, where everything lies, and the question that this answers."""


def _placed(plans: Sequence[Plan], direction: Direction | None, spacing: Spacing) -> _Placed:
    plans = fit_plans(plans)
    problem = make_problem(plans, direction, spacing)
    count = len(problem.sizes) - len(problem.texts)
    if count > MOST_BOXES:
        raise TooManyBoxes(count, MOST_BOXES)
    placement = place_segments(problem, _part_placed) if count > MOST_BOXES_IN_PROCESS else place(problem)
    return plans, placement, problem


def _part_placed(problem: Problem) -> Placement:
    """The places of a whole problem, or of a part of one."""
    count = len(problem.sizes) - len(problem.texts)
    return place_in_child(problem) if count > MOST_BOXES_IN_PROCESS else place(problem)


def _panels(make: Callable[[Look], list[Plan]], look: Look, canvas: Canvas) -> tuple[list[Panel], tuple[str, ...]]:
    """The panels on their canvas, in the direction that is wished or else the one that fits it best.

    make: plans the panels in a look. What does not fit stands closer together, then gives up its legend, its
    local derivatives, its details.
    """
    usual = look.direction or find_style(look.style).direction
    if canvas == "tight":
        return draw_plans(make(look), usual), ()
    ways = (usual,) if look.direction is not None else (usual, *_TURNED[usual])
    placed = cache(lambda look, way, spacing: _placed(make(look), way, spacing))
    choices = [
        Choice(partial(_laid_out, partial(placed, shown, way, spacing), size, legend), remark, least)
        for shown, legend, remark in _shown(look)
        for spacing, least in ((ROOMY, 0.0), (CLOSE, _NEARLY))
        for size in (None, frame(canvas))
        for way in ways
    ]
    return fit_canvas(choices, canvas)


def _laid_out(placed: Callable[[], _Placed], size: Size | None, legend: bool) -> list[Panel]:
    """The panels with title and legend around the graph, or beside it in panels of a size."""
    plans, placement, problem = placed()
    shown = plans if legend else [replace(plan, legend=()) for plan in plans]
    return compose(shown, placement, problem, size)


def _shown(look: Look) -> Iterator[tuple[Look, bool, str]]:
    """What is shown, from all to ever less: the look, whether there is a legend, and what is given up."""
    yield look, True, ""
    yield look, False, _LEFT_OUT.format("the legend is")
    bare = replace(look, derivatives="none")
    if look.derivatives is None:
        yield bare, True, _LEFT_OUT.format("local derivatives are")
        yield bare, False, _LEFT_OUT.format("legend and local derivatives are")
    details = _DETAILS.get(look.style)
    if look.detail is None and details:
        yield replace(look, detail="beginner"), True, _LEFT_OUT.format(details)
        yield replace(look, detail="beginner"), False, _LEFT_OUT.format(f"legend and {details}")
        if look.derivatives is None:
            everything = f"legend, local derivatives and {details}"
            yield replace(bare, detail="beginner"), False, _LEFT_OUT.format(everything)


_NEARLY = 0.6
"""The share of its size from which on a figure is tried with its parts closer together."""
_LEFT_OUT = "{} left out, to fit the canvas"
_DETAILS = {"attributes": "AccumulateGrads are", "engine": "torch's formulas are"}
"""What a style leaves out for beginners."""
_TURNED: dict[Direction | None, tuple[Direction, ...]] = {
    None: ("LR", "TB"),
    "RL": ("TB",),
    "LR": ("TB",),
    "TB": ("RL",),
    "BT": ("LR",),
}
"""Other ways to lay a figure out, where the usual one does not fit the canvas."""


def _scene(panels: Sequence[Panel], title: str, description: str) -> Scene:
    """Panels of one size, one below the other; tall ones side by side."""
    width, height = panels[0].area.width, panels[0].area.height
    dx, dy = (width, 0.0) if height > _TALL * width else (0.0, height)
    placed = tuple(move_panel(panel, index * dx, index * dy) for index, panel in enumerate(panels))
    last = placed[-1].area
    return Scene(last.right, last.bottom, placed, title, description)
