"""The options of a figure, as one value.

Imports only the choices, so that `inspect --help` is fast.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from inspector.options.choices import (
    Arrows,
    Canvas,
    Derivatives,
    Detail,
    Direction,
    StyleName,
    Values,
    check_choice,
)


class FigureOptions(Struct, frozen=True):
    """The options of a figure. None lets the style or the size of the graph decide.

    style: a key of STYLES. direction: from the root to the leaves. arrows: forward as values flow, backward as the
    gradient flows. canvas: None for a tight canvas, or 16:9 for frames. values: how tensors of several elements
    are written.
    path: `u:f`, the tensors whose paths are highlighted, or an empty text. code: show the source beside the graph.
    Raises ValueError for an invalid value.
    """

    style: StyleName | None = None
    detail: Detail | None = None
    direction: Direction | None = None
    arrows: Arrows | None = None
    canvas: Canvas | None = None
    derivatives: Derivatives | None = None
    values: Values = "auto"
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
            "values": self.values,
        }
        for name, word in chosen.items():
            if word is not None:
                check_choice(name, word)


def without_heat_maps(look: FigureOptions) -> FigureOptions:
    """The options with a shape and a norm in place of every heat map."""
    return look if look.values == "shape" else replace(look, values="numbers")
