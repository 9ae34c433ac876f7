"""The fallbacks for fitting a figure onto its canvas, from complete and spacious to sparse.

Each is a LayoutChoice; `fit_canvas` takes the first that fits. A figure is packed tighter, has its leaves side by
side, loses its legend, gets a uniform text size, and loses its local derivatives and its details. Then the denser
ways to draw its style, or a neighbouring style, are tried, and last the figure is split into rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import islice, product
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from inspector.figure.canvas import (
    HOPELESS,
    SIZES,
    FittedPanels,
    LayoutChoice,
    fit_canvas,
    frame,
    least_scale,
)
from inspector.figure.compose import Composed, compose, smallest_text
from inspector.figure.layout_problem import fit_plans, make_problem
from inspector.figure.uniform_text_size import with_uniform_text_size
from inspector.layout.least_size import covered_area, least_length
from inspector.layout.problem import (
    ALIGNED,
    CLOSE,
    IN_THREE_ROWS,
    IN_TWO_ROWS,
    LOW,
    ROOMY,
    TIGHT,
    Placement,
    Problem,
    Size,
    Spacing,
)
from inspector.options.choices import Canvas, Direction
from inspector.options.figure_options import FigureOptions
from inspector.options.figure_options import without_heat_maps as plain
from inspector.styles import Plan, find_style
from inspector.styles.plan import CircuitPlan
from inspector.styles.table import Density

PlacedPlans = tuple[list[Plan], Placement, Problem]
"""Fitted plans, all positions, and the layout problem they solve."""
Making = Callable[[FigureOptions, Density | None], list[Plan]]
Placing = Callable[[list[Plan], Direction | None, Spacing], PlacedPlans]

_Spacings: TypeAlias = "tuple[tuple[Spacing, float], ...]"
_SPACINGS: _Spacings = ((ROOMY, 0.0), (CLOSE, 0.6), (ALIGNED, 0.6))
"""Spacings to try, each with the scale above which it is tried."""
_ROWS: _Spacings = ((IN_TWO_ROWS, 0.0), (IN_THREE_ROWS, 0.0))
_MOST_ROOM = 4.0
"""Width, in canvases, up to which a figure is split into rows."""
_PAGE_WIDTH, _PAGE_HEIGHT = 1_200.0, 1_600.0
"""Points; a circuit without a canvas is broken into rows of about the width of a page."""
_MOST_ROWS = 5
_RICHEST = 5
"""Number of densities that are tried with formulas before any is without them."""
_MOST_DENSE = 80
"""Boxes of a panel, Nodes and tensors, above which no denser way to draw them fits a slide; trying takes long."""
_DENSE: _Spacings = ((CLOSE, 0.0), (TIGHT, 0.4), (LOW, 0.4))
_TURNABLE: _Spacings = ((CLOSE, 0.0),)
"""Downwards, tight ranks leave no room for badges."""
_FULLEST = 0.4
"""Share of a canvas that boxes and texts may cover; those of figures that fit cover less than a fifth."""
DRAWN_AS = "drawn as a"
"""The beginning of a remark that another style than usual was drawn."""
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


class _Attempt(Struct, frozen=True):
    """The content of a figure. evened: whether all text has one size. remark: what is left out. density: a denser
    way to draw it."""

    look: FigureOptions
    legend: bool = True
    evened: bool = False
    remark: str = ""
    density: Density | None = None


_Stage: TypeAlias = tuple[list[_Attempt], _Spacings, float]
"""Attempts, the spacings to try, and the scale below which no further one is tried."""


def fit(
    make: Making, look: FigureOptions, canvas: Canvas, place: Placing, *, asked: bool = False
) -> FittedPanels:
    """The panels on their canvas, in the requested direction or the one that fits best.

    make: plans the panels for given options and a density. place: computes the positions. asked: whether the style
    was requested, so that its own densities come before its neighbour's.
    """
    if canvas == "tight":
        return FittedPanels(_in_rows_of_a_page(make(look, None), look, place).panels())
    return _Fitting(make, look, canvas, place, asked).fit()


def fit_as(
    make: Making, look: FigureOptions, canvas: Canvas, place: Placing, density: Density | None
) -> FittedPanels:
    """The panels on their canvas in one density of a style, or as the style draws them."""
    return _Fitting(make, look, canvas, place, asked=True).fit_as(density)


class _Fitting:
    """What is tried to fit one figure on a canvas."""

    def __init__(self, make: Making, look: FigureOptions, canvas: Canvas, place: Placing, asked: bool) -> None:
        self._make, self._look, self._canvas, self._place, self._asked = make, look, canvas, place, asked
        self._planned = cache(make)  # the slowest part for many frames
        self._placed = cache(self._place_plans)
        self._bound = cache(self._bound_of)

    def fit(self) -> FittedPanels:
        """The panels of the first attempt that fits; the whole figure as it is if none does."""
        look = self._look
        whole = self._tried(_shown(look), _SPACINGS)
        if not whole.needs:
            return whole
        is_small = len(self._planned(look, None)[0].boxes) <= _MOST_DENSE
        if self._asked and is_small and look.values != "heat" and find_style(look.style).neighbour:
            own = self._tried(_denser(look), _SPACINGS, 0.0)
            if own.needs is None:
                return own
        if _has_heat_maps(self._planned, look, is_small):
            found = self._tried(_with_heat_maps(look), _DENSE) if is_small else whole
            return self._fit_without_heat_maps() if found.needs else found
        if is_small:
            for attempts, spacings, hopeless in _stages(look, whole.needs[0] / SIZES[self._canvas][0]):
                found = self._tried(attempts, spacings, hopeless)
                if found.needs is None:
                    return found
        return whole

    def fit_as(self, density: Density | None) -> FittedPanels:
        """The panels in one density; as they are if they do not fit."""
        if density is None:
            return self._tried(_shown(self._look), _SPACINGS)
        remark = f"{density.name}, to fit the canvas"
        shown = [_Attempt(self._look, density=density, remark=remark)]
        shown.append(replace(shown[0], legend=False, remark=remark.replace(",", ", without formulas,", 1)))
        return self._tried(shown, _DENSE)

    def _fit_without_heat_maps(self) -> FittedPanels:
        fitted = _Fitting(self._make, plain(self._look), self._canvas, self._place, self._asked).fit()
        said = _LEFT_OUT.format("heat maps are")
        return replace(fitted, remark=f"{fitted.remark}; {said}" if fitted.remark else said)

    def _tried(
        self, attempts: Iterable[_Attempt], spacings: _Spacings, hopeless: float = HOPELESS
    ) -> FittedPanels:
        every = list(attempts)
        choices = [
            LayoutChoice(
                partial(_laid_out, partial(self._placed, _content(shown), way, spacing), size, shown),
                shown.remark,
                least,
                spacing.rows > 1 or spacing is LOW,
                partial(self._bound, _content(shown), way, spacing) if shown.density else None,
            )
            for shown in every
            for spacing, least in spacings
            for size in (None, frame(self._canvas))
            for way in _ways(shown)
        ]
        found = fit_canvas(choices, self._canvas, hopeless)
        drawn = (shown for shown in every if shown.remark == found.remark)
        return replace(found, look=next(((shown.look, shown.density) for shown in drawn), None))

    def _bound_of(self, shown: _Attempt, way: Direction | None, spacing: Spacing) -> tuple[float, float]:
        """The scale at which an attempt fits at most, and the least that is legible.

        First from the sizes of boxes and texts; if that leaves a chance, from their places.
        """
        plans = fit_plans(self._planned(shown.look, shown.density))
        if any(isinstance(plan, CircuitPlan) and not plan.even and not plan.passes for plan in plans):
            return 0.0, 1.0  # without passes, this density draws the same as another
        problem = make_problem(plans, way, spacing)
        width, height = SIZES[self._canvas]
        length, covered = least_length(problem) / spacing.rows, covered_area(problem)
        along = (width if problem.horizontal else height) / max(length, 1.0)
        most = min(1.0, along, math.sqrt(_FULLEST * width * height / max(covered, 1.0)))
        least = least_scale(smallest_text([_bare(plan) for plan in plans]))
        if most >= least:
            area = self._placed(shown, way, spacing)[1].area
            most = min(most, width / max(area.width, 1.0), height / max(area.height, 1.0))
        return most, least

    def _place_plans(self, shown: _Attempt, way: Direction | None, spacing: Spacing) -> PlacedPlans:
        plans = self._planned(shown.look, shown.density)
        evened = [with_uniform_text_size(plan) for plan in plans] if shown.evened else plans
        if shown.density:
            least = least_scale(smallest_text([_bare(plan) for plan in plans]))
            width, height = SIZES[self._canvas]
            spacing = replace(spacing, room=(width / least, height / least))
        return self._place(evened, way, spacing)


def _in_rows_of_a_page(plans: list[Plan], look: FigureOptions, place: Placing) -> Composed:
    """The panels as large as they need; a circuit that is wider than a page in as many rows as it takes."""
    usual = look.direction or find_style(look.style).direction
    whole = compose(*place(plans, usual, ROOMY))
    rows = min(math.ceil(whole.size[0] / _PAGE_WIDTH), _MOST_ROWS)
    if look.style != "circuit" or look.direction or rows < 2 or len(plans[0].boxes) > _MOST_DENSE:
        return whole
    broken = (compose(*place(plans, usual, replace(ROOMY, rows=count))) for count in range(2, rows + 1))
    return min((whole, *broken), key=lambda one: max(one.size[0] / _PAGE_WIDTH, one.size[1] / _PAGE_HEIGHT))


def _has_heat_maps(planned: Making, look: FigureOptions, is_small: bool) -> bool:
    """Whether a style has heat maps. is_small: whether it may also be drawn in a denser way."""
    ways = [(look, None), *((shown.look, shown.density) for shown in islice(_of_neighbour(look), int(is_small)))]
    return look.values in ("auto", "heat") and any(plan.has_heat_maps for way in ways for plan in planned(*way))


def _with_heat_maps(look: FigureOptions) -> Iterator[_Attempt]:
    """The ways to draw a style, or its neighbour, with heat maps: the richest density, then with fewer maps."""
    from inspector.styles.circuit_densities import FEWER_HEAT_MAPS  # few figures need it

    for shown in islice(_of_neighbour(look), 1):
        yield shown
        said = shown.remark.removesuffix(f"{shown.density.name}, to fit the canvas") if shown.density else ""
        for density, legend in product(FEWER_HEAT_MAPS, (True, False)):
            without = "" if legend else ", without formulas"
            remark = f"{said}{density.name}{without}, to fit the canvas"
            yield replace(shown, legend=legend, density=density, remark=remark)


def _stages(look: FigureOptions, width: float) -> Iterator[_Stage]:
    """What is tried if a style does not fit whole. width: of the whole figure, in canvases."""
    dense = list(_of_neighbour(look))
    yield dense, _DENSE, 0.0
    if look.direction is None:
        yield [_turned(shown) for shown in dense if shown.density and shown.density.turns], _TURNABLE, 0.0
    for own in _rowed(look):
        is_neighbour = own.style != look.style
        if is_neighbour or width <= _MOST_ROOM:
            yield list(_shown(own, f"{DRAWN_AS} {own.style} in rows" if is_neighbour else "")), _ROWS, HOPELESS


def _rowed(look: FigureOptions) -> Iterator[FigureOptions]:
    """The style to split into rows, and its neighbour unless details were requested that it leaves out."""
    yield look
    neighbour = find_style(look.style).neighbour
    if neighbour and look.detail is None and look.derivatives in (None, "none"):
        yield replace(look, style=neighbour)


def _turned(shown: _Attempt) -> _Attempt:
    """An attempt from top to bottom instead of from side to side."""
    return replace(shown, look=replace(shown.look, direction="TB"), remark=f"{shown.remark}, turned")


def _content(shown: _Attempt) -> _Attempt:
    """What an attempt lays out, whatever stands around it."""
    return replace(shown, legend=True, remark="")


def _ways(shown: _Attempt) -> tuple[Direction | None, ...]:
    """The directions to try."""
    if shown.look.direction is not None:
        return (shown.look.direction,)
    usual = find_style(shown.look.style).direction
    return (usual, *_TURNED[usual]) if shown.density is None or usual is None else (usual,)


def _of_neighbour(look: FigureOptions) -> Iterator[_Attempt]:
    """The denser ways to draw the neighbour of a style, or the style itself if it has none."""
    neighbour = find_style(look.style).neighbour
    said = f"{DRAWN_AS} {neighbour}: " if neighbour else ""
    return _denser(replace(look, style=neighbour or look.style), said)


def _denser(look: FigureOptions, said: str = "") -> Iterator[_Attempt]:
    """The denser ways to draw a style, unless details were requested that they leave out. said: what every remark
    begins with.

    Of the richest ones, all with formulas come before those without.
    """
    if look.detail is not None or look.derivatives not in (None, "none"):
        return
    every = find_style(look.style).denser
    for densities in (every[:_RICHEST], *((density,) for density in every[_RICHEST:])):
        for legend, density in product((True, False), densities):
            without = "" if legend else ", without formulas"
            remark = f"{said}{density.name}{without}, to fit the canvas"
            yield _Attempt(look, legend=legend, remark=remark, density=density)


def _laid_out(placed: Callable[[], PlacedPlans], size: Size | None, shown: _Attempt) -> Composed:
    """The panels with title and legend around the graph, or beside it in panels of a given size."""
    plans, placement, problem = placed()
    own = plans if shown.legend else [_bare(plan) for plan in plans]
    return compose(own, placement, problem, size)


def _bare(plan: Plan) -> Plan:
    """The plan without what only explains it."""
    plan = replace(plan, legend=())
    return replace(plan, formulas=()) if isinstance(plan, CircuitPlan) else plan


def _shown(look: FigureOptions, said: str = "") -> Iterator[_Attempt]:
    """The attempts, from complete to sparse. said: what every remark begins with."""
    for shown in _all_shown(look):
        yield replace(shown, remark="; ".join(filter(None, (said, shown.remark))))


def _all_shown(look: FigureOptions) -> Iterator[_Attempt]:
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
