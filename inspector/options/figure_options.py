"""The options of a figure as one value, and the allowed words.

Imports nothing else of the package: `inspect --help` uses these words and must be fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Direction = Literal["LR", "RL", "TB", "BT"]
Detail = Literal["beginner", "standard", "expert"]
Arrows = Literal["forward", "backward"]
Canvas = Literal["tight", "16:9", "4:3", "half"]
Derivatives = Literal["symbols", "numbers", "both", "none"]
Order = Literal["engine", "textbook"]
Depth = int | Literal["auto", "full"]
"""How far to fold a model: below this many levels, as far as a picture needs ("auto"), or not at all ("full")."""

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
DETAILS: tuple[Detail, ...] = get_args(Detail)
ARROWS: tuple[Arrows, ...] = get_args(Arrows)
CANVASES: tuple[Canvas, ...] = get_args(Canvas)
DERIVATIVES: tuple[Derivatives, ...] = get_args(Derivatives)

ORDERS: tuple[Order, ...] = get_args(Order)
STYLE_NAMES = ("attributes", "circuit", "partials", "record", "modules", "engine", "torchviz")
"""The keys of `inspector.styles.STYLES`."""

_CHOICES: dict[str, tuple[str, ...]] = {
    "detail": DETAILS,
    "direction": DIRECTIONS,
    "arrows": ARROWS,
    "canvas": CANVASES,
    "derivatives": DERIVATIVES,
}


@dataclass(frozen=True, slots=True)
class FigureOptions:
    """The options of a figure. None leaves a choice to the style and to the size of the graph.

    style: a key of STYLES, or an empty text. direction: from the root to the leaves. arrows: along the gradient
    (backward) or along the values (forward). canvas: None for tight, and for 16:9 with frames. path: `u:f`, the
    tensors whose paths are highlighted, or an empty text. code: show the source beside the graph.
    Raises ValueError for an invalid value (of the style, `find_style` does).
    """

    style: str = ""
    detail: Detail | None = None
    direction: Direction | None = None
    arrows: Arrows | None = None
    canvas: Canvas | None = None
    derivatives: Derivatives | None = None
    path: str = ""
    code: bool = False

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            chosen = getattr(self, name)
            if chosen is not None and chosen not in choices:
                raise ValueError(f"unknown {name} {chosen!r}; choose from: {', '.join(choices)}")
