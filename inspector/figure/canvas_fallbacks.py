"""The fallbacks for fitting a figure onto its canvas, from complete and spacious to sparse.

Each is a LayoutChoice; `fit_canvas` takes the first that fits. A figure is packed tighter, has its leaves side by
side, is split into rows, loses its legend, gets a uniform text size, and loses its local derivatives and its
details.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial

from inspector.figure.canvas import FittedPanels, LayoutChoice, fit_canvas, frame
from inspector.figure.compose import Composed, compose
from inspector.figure.uniform_text_size import with_uniform_text_size
from inspector.layout.problem import (
    ALIGNED,
    CLOSE,
    IN_THREE_ROWS,
    IN_TWO_ROWS,
    ROOMY,
    Placement,
    Problem,
    Size,
    Spacing,
)
from inspector.options.choices import Canvas, Direction
from inspector.options.figure_options import FigureOptions
from inspector.styles import Plan, find_style

PlacedPlans = tuple[list[Plan], Placement, Problem]
"""Fitted plans, all positions, and the layout problem they solve."""
Placing = Callable[[list[Plan], Direction | None, Spacing], PlacedPlans]

_SPACINGS = ((ROOMY, 0.0), (CLOSE, 0.6), (ALIGNED, 0.6), (IN_TWO_ROWS, 0.35), (IN_THREE_ROWS, 0.25))
"""Spacings to try, each with the scale above which it is tried."""
_LEFT_OUT = "{} left out, to fit the canvas"
_ONE_SIZE = "all text has one size, to fit the canvas"
_AS_WELL = "; all text has one size"
_DETAILS = {
    "attributes": "AccumulateGrads",
    "engine": "torch's formulas",
    "modules": "the numbers of Nodes and parameters",
}
"""What a style leaves out for beginners."""
_WITHOUT_DERIVATIVES = ("modules", "torchviz")
_TURNED: dict[Direction | None, tuple[Direction, ...]] = {
    None: ("LR", "TB"),
    "RL": ("TB",),
    "LR": ("TB",),
    "TB": ("RL",),
    "BT": ("LR",),
}
"""Other directions to try if the usual one does not fit the canvas."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The content of a figure. evened: whether all text has one size. remark: what is left out."""

    look: FigureOptions
    legend: bool = True
    evened: bool = False
    remark: str = ""


def fit(
    make: Callable[[FigureOptions], list[Plan]], look: FigureOptions, canvas: Canvas, place: Placing
) -> FittedPanels:
    """The panels on their canvas, in the requested direction or the one that fits best.

    make: plans the panels for given options. place: computes the positions.
    """
    usual = look.direction or find_style(look.style).direction
    if canvas == "tight":
        return FittedPanels(compose(*place(make(look), usual, ROOMY)).panels())
    ways = (usual,) if look.direction is not None else (usual, *_TURNED[usual])

    planned = cache(make)  # the slowest part for many frames

    @cache
    def placed(look: FigureOptions, evened: bool, way: Direction | None, spacing: Spacing) -> PlacedPlans:
        plans = planned(look)
        return place([with_uniform_text_size(plan) for plan in plans] if evened else plans, way, spacing)

    choices = [
        LayoutChoice(
            partial(_laid_out, partial(placed, shown.look, shown.evened, way, spacing), size, shown.legend),
            shown.remark,
            least,
            spacing.rows > 1,
        )
        for shown in _shown(look)
        for spacing, least in _SPACINGS
        for size in (None, frame(canvas))
        for way in ways
    ]
    return fit_canvas(choices, canvas)


def _laid_out(placed: Callable[[], PlacedPlans], size: Size | None, legend: bool) -> Composed:
    """The panels with title and legend around the graph, or beside it in panels of a given size."""
    plans, placement, problem = placed()
    shown = plans if legend else [replace(plan, legend=()) for plan in plans]
    return compose(shown, placement, problem, size)


def _shown(look: FigureOptions) -> Iterator[_Attempt]:
    """The attempts, from complete to sparse."""
    yield _Attempt(look)
    yield _Attempt(look, False, False, _LEFT_OUT.format("the legend is"))
    yield _Attempt(look, True, True, _ONE_SIZE)
    yield _Attempt(look, False, True, _LEFT_OUT.format("the legend is") + _AS_WELL)
    for less, given_up in _less(look):
        yield _Attempt(less, True, False, _LEFT_OUT.format(f"{given_up} are"))
        both = f"legend, {given_up}" if " and " in given_up else f"legend and {given_up}"
        without = _LEFT_OUT.format(f"{both} are")
        yield _Attempt(less, False, False, without)
        yield _Attempt(less, False, True, without + _AS_WELL)


def _less(look: FigureOptions) -> Iterator[tuple[FigureOptions, str]]:
    """The options without details that were not requested, and the name of what is left out."""
    details = _DETAILS.get(look.style or "") if look.detail is None else None
    derived = look.derivatives is None and look.style not in _WITHOUT_DERIVATIVES
    if derived:
        yield replace(look, derivatives="none"), "local derivatives"
    if details:
        yield replace(look, detail="beginner"), details
    if derived and details:
        yield replace(look, detail="beginner", derivatives="none"), f"local derivatives and {details}"
