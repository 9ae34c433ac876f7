"""Panels on a canvas: a slide of 960 by 540 points, another shape, or as large as they need to be.

A panel that is a little too large is drawn smaller, as long as its smallest text stays legible. What is larger
still keeps the size of its text; the canvas grows in its shape, and a remark says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from inspector.figure.compose import Composed, move_panel
from inspector.options.choices import Canvas
from inspector.scene.scene import Badge, Band, Box, Panel, Rectangle, TextRun, Wire

SIZES: dict[str, tuple[float, float]] = {"16:9": (960.0, 540.0), "4:3": (720.0, 540.0), "half": (480.0, 540.0)}
"""Points, as slide programs have them."""
SMALLEST = 14.0
"""Points: no text on a canvas is smaller."""

_HOPELESS = 0.4
"""The share of its size below which nothing is left out of a figure: it would not fit all the same."""
_BADGE_SIZE = 12.0
_SPARE = 12.0
"""Points of each margin that a canvas may take."""


@dataclass(frozen=True, slots=True)
class LayoutChoice:
    """One way to lay out the panels of a figure, all of one size.

    remark: what it gives up, or nothing. least: the share of its size at which a figure must fit by other ways,
    for this one to be worth trying. broken: whether it breaks the figure into rows, as is done only to those that
    fit in no other way.
    """

    lay_out: Callable[[], Composed]
    remark: str = ""
    least: float = 0.0
    broken: bool = False


def frame(canvas: Canvas) -> tuple[float, float]:
    """How large a panel may be that fits the canvas as it is."""
    width, height = SIZES[canvas]
    return width + 2 * _SPARE, height + 2 * _SPARE


@dataclass(frozen=True, slots=True)
class FittedPanels:
    """Panels on their canvas. remark: what they give up, or nothing.

    needs: the size of the canvas that they would need, and have, where they do not fit the one that was wished.
    """

    panels: list[Panel]
    remark: str = ""
    needs: tuple[float, float] | None = None


def fit_canvas(choices: Sequence[LayoutChoice], canvas: Canvas) -> FittedPanels:
    """The panels of the first choice that fits the canvas, the larger of those that give up the same.

    Where none fits, those of the first choices are drawn on a larger canvas of the same shape.
    """
    nearest: list[tuple[float, Composed]] = []
    for remark, group in groupby(choices, key=lambda choice: choice.remark):
        share, composed = max(_fitting(group, canvas), key=lambda pair: pair[0])
        nearest.append((share, composed))
        if share >= _least(composed):
            drawn = [_centred(_scaled(panel, share), SIZES[canvas]) for panel in composed.panels()]
            return FittedPanels(drawn, remark)
        if share < _HOPELESS:
            break
    share, composed = nearest[0]
    least = _least(composed)
    width, height = (side * least / share for side in SIZES[canvas])
    drawn = [_centred(_scaled(panel, least), (width, height)) for panel in composed.panels()]
    return FittedPanels(drawn, needs=(width, height))


def _fitting(choices: Iterable[LayoutChoice], canvas: Canvas) -> Iterator[tuple[float, Composed]]:
    """The panels of each choice, with the share of their size that fits; none behind one that fits as it is."""
    best, fits = 0.0, False
    for choice in choices:
        if best < choice.least or (choice.broken and fits):
            continue
        composed = choice.lay_out()
        share = _share(composed, canvas)
        best = max(best, share)
        fits = fits or (share >= _least(composed) and not choice.broken)
        yield share, composed
        if share == 1.0:
            return


def _least(composed: Composed) -> float:
    """How much smaller panels may be drawn for their smallest text's sake."""
    return SMALLEST / (composed.smallest or SMALLEST)


def _share(composed: Composed, canvas: Canvas) -> float:
    """By how much a panel has to be drawn smaller to fit."""
    needs = (length - 2 * _SPARE for length in composed.size)
    return min(1.0, *(room / need for room, need in zip(SIZES[canvas], needs, strict=True)))


def _centred(panel: Panel, size: tuple[float, float]) -> Panel:
    """The panel in the middle of a canvas."""
    dx, dy = (size[0] - panel.area.width) / 2, (size[1] - panel.area.height) / 2
    return replace(move_panel(panel, dx, dy), area=Rectangle(0.0, 0.0, *size))


def _scaled(panel: Panel, share: float) -> Panel:
    """The panel with every length times `share`."""
    if share == 1.0:
        return panel
    return Panel(
        panel.id,
        _scaled_area(panel.area, share),
        tuple(_scaled_box(box, share) for box in panel.boxes),
        tuple(_scaled_wire(wire, share) for wire in panel.wires),
        tuple(_scaled_badge(badge, share) for badge in panel.badges),
    )


def _scaled_area(area: Rectangle, share: float) -> Rectangle:
    return Rectangle(area.x * share, area.y * share, area.width * share, area.height * share)


def _scaled_texts(texts: Sequence[TextRun], share: float) -> tuple[TextRun, ...]:
    return tuple(replace(text, x=text.x * share, y=text.y * share, size=text.size * share) for text in texts)


def _scaled_band(band: Band, share: float) -> Band:
    return replace(band, area=_scaled_area(band.area, share))


def _scaled_box(box: Box, share: float) -> Box:
    return replace(
        box,
        area=_scaled_area(box.area, share),
        bands=tuple(_scaled_band(band, share) for band in box.bands),
        texts=_scaled_texts(box.texts, share),
    )


def _scaled_wire(wire: Wire, share: float) -> Wire:
    points = tuple((x * share, y * share) for x, y in wire.points)
    return replace(wire, points=points, texts=_scaled_texts(wire.texts, share))


def _scaled_badge(badge: Badge, share: float) -> Badge:
    """A badge keeps its size, so it moves out to the corner by what its box lost."""
    lost = (1 - share) * _BADGE_SIZE
    return replace(badge, x=badge.x * share - lost, y=badge.y * share - lost)
