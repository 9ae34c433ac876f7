"""Panels on a canvas: a slide of 960 by 540 points, another aspect ratio, or the size of the content.

A panel that is slightly too large is scaled down while its smallest text stays legible. Anything larger keeps its
text size; the canvas grows in proportion, and a remark says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from inspector.figure.compose import Composed
from inspector.options.choices import Canvas
from inspector.options.figure_options import FigureOptions
from inspector.scene.scene import Panel, Rectangle
from inspector.scene.transform import transform_panel
from inspector.styles.table import Density

SIZES: dict[str, tuple[float, float]] = {
    "16:9": (960.0, 540.0),
    "4:3": (720.0, 540.0),
    "half": (480.0, 540.0),
    "strip": (960.0, 270.0),
}
"""Sizes in points, as in slide programs. half, strip: the left and the upper half of a slide of 16:9."""
SMALLEST = 14.0
"""Smallest text on a canvas, in points."""

HOPELESS = 0.4
"""Scale below which no fallback is tried, since the figure would not fit anyway."""
_SPARE = 12.0
"""Points by which a panel may extend into each margin of the canvas."""


class LayoutChoice(Struct, frozen=True):
    """One way to lay out the panels of a figure, which have one size.

    remark: what it leaves out, or an empty text. least: the scale at which the figure must fit with earlier
    choices for this one to be tried. broken: whether it is a last resort, such as rows. bound: the scale at which
    it fits at most, known before it is laid out, and the least that is legible.
    """

    lay_out: Callable[[], Composed]
    remark: str = ""
    least: float = 0.0
    broken: bool = False
    bound: Callable[[], tuple[float, float]] | None = None


def frame(canvas: Canvas) -> tuple[float, float]:
    """The maximum size of a panel on the canvas."""
    width, height = SIZES[canvas]
    return width + 2 * _SPARE, height + 2 * _SPARE


class FittedPanels(Struct, frozen=True):
    """Panels on their canvas. remark: what was left out, or an empty text.

    needs: the canvas size that the panels need and have, if they do not fit the requested canvas. look: the
    options in which they were drawn, and the density, if these are known.
    """

    panels: list[Panel]
    remark: str = ""
    needs: tuple[float, float] | None = None
    look: tuple[FigureOptions, Density | None] | None = None


def fit_canvas(
    choices: Sequence[LayoutChoice], canvas: Canvas, hopeless: float = HOPELESS
) -> FittedPanels:
    """The panels of the first choice that fits the canvas; among choices with the same remark, the larger panels.

    If none fits, the panels of the first choices are drawn on a larger canvas of the same shape. hopeless: the
    scale below which no further choice is tried.
    """
    nearest: list[tuple[float, Composed]] = []
    for remark, group in groupby(choices, key=lambda choice: choice.remark):
        found = list(_fitting(group, canvas))
        if not found:
            continue
        share, composed = max(found, key=lambda pair: pair[0])
        nearest.append((share, composed))
        if share >= _least(composed):
            drawn = [_centred(panel, share, SIZES[canvas]) for panel in composed.panels()]
            return FittedPanels(drawn, remark)
        if share < hopeless:
            break
    if not nearest:
        return FittedPanels([], needs=(math.inf, math.inf))
    share, composed = nearest[0]
    least = _least(composed)
    width, height = (side * least / share for side in SIZES[canvas])
    drawn = [_centred(panel, least, (width, height)) for panel in composed.panels()]
    return FittedPanels(drawn, needs=(width, height))


def _fitting(choices: Iterable[LayoutChoice], canvas: Canvas) -> Iterator[tuple[float, Composed]]:
    """The panels of each choice and the scale at which they fit; none after one that fits unscaled."""
    best, fits = 0.0, False
    for choice in choices:
        if best < choice.least or (choice.broken and fits):
            continue
        if choice.bound is not None:
            most, least = choice.bound()
            if most < least:
                best = max(best, most)
                continue
        composed = choice.lay_out()
        share = _share(composed, canvas)
        best = max(best, share)
        fits = fits or (share >= _least(composed) and not choice.broken)
        yield share, composed
        if share == 1.0:
            return


def _least(composed: Composed) -> float:
    """The smallest scale at which the smallest text stays legible."""
    return least_scale(composed.smallest)


def least_scale(smallest: float) -> float:
    """The smallest scale at which a text of this size stays legible; of 0, where there is no text, 1."""
    return SMALLEST / (smallest or SMALLEST)


def _share(composed: Composed, canvas: Canvas) -> float:
    """The scale at which a panel fits."""
    needs = (length - 2 * _SPARE for length in composed.size)
    return min(1.0, *(room / need for room, need in zip(SIZES[canvas], needs, strict=True)))


def _centred(panel: Panel, share: float, size: tuple[float, float]) -> Panel:
    """The panel in the centre of a canvas, with every length multiplied by `share`."""
    dx, dy = (size[0] - share * panel.area.width) / 2, (size[1] - share * panel.area.height) / 2
    return replace(transform_panel(panel, dx, dy, share), area=Rectangle(0.0, 0.0, *size))
