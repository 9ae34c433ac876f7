"""How a figure is to look: one value for all that a reader may choose.

Imports the choices only: `inspect --help` offers them and must be quick.
"""

from __future__ import annotations

from dataclasses import dataclass

from inspector.options.choices import (
    Arrows,
    Canvas,
    Derivatives,
    Detail,
    Direction,
    StyleName,
    check_choice,
)


@dataclass(frozen=True, slots=True)
class FigureOptions:
    """The options of a figure. None leaves a choice to the style and to the size of the graph.

    style: a key of STYLES. direction: the way from the root to the leaves. arrows: whether they
    point as the gradient flows (backward) or as the values did. canvas: None for tight, and for 16:9 of frames.
    path: `u:f`, the tensors whose paths are lit, or an empty text. code: whether the source stands beside the
    graph.
    Raises ValueError for a word that may not be chosen.
    """

    style: StyleName | None = None
    detail: Detail | None = None
    direction: Direction | None = None
    arrows: Arrows | None = None
    canvas: Canvas | None = None
    derivatives: Derivatives | None = None
    path: str = ""
    code: bool = False

    def __post_init__(self) -> None:
        chosen = {
            "style": self.style,
            "detail": self.detail,
            "direction": self.direction,
            "arrows": self.arrows,
            "canvas": self.canvas,
            "derivatives": self.derivatives,
        }
        for name, word in chosen.items():
            if word is not None:
                check_choice(name, word)
