"""The options with a fixed set of values, for the command and for the library.

Imports nothing else, so that `inspect --help` is fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

StyleName = Literal["attributes", "circuit", "partials", "record", "modules", "engine", "torchviz"]
Detail = Literal["beginner", "standard", "expert"]
Direction = Literal["LR", "RL", "TB", "BT"]
Arrows = Literal["forward", "backward"]
Canvas = Literal["tight", "16:9", "4:3", "half", "strip"]
Derivatives = Literal["symbols", "numbers", "both", "none"]
Values = Literal["auto", "numbers", "heat", "shape"]
Order = Literal["engine", "textbook"]
Theme = Literal["light", "dark", "print"]
Text = Literal["path", "embed", "plain"]
Mode = Literal["full", "light", "none"]
FailOn = Literal["error", "warning", "never"]
Annotate = Literal["github"]
Handout = Literal["blanks", "solution"]
Colour = Literal["teal", "purple", "green", "pink"]
Depth = int | Literal["auto", "full"]
"""How far to fold a model: modules below this number of path components; until it fits a picture; not at all."""

STYLE_NAMES: tuple[StyleName, ...] = get_args(StyleName)
"""The keys of `inspector.styles.STYLES`."""
DETAILS: tuple[Detail, ...] = get_args(Detail)
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
ARROWS: tuple[Arrows, ...] = get_args(Arrows)
CANVASES: tuple[Canvas, ...] = get_args(Canvas)
DERIVATIVES: tuple[Derivatives, ...] = get_args(Derivatives)
VALUES: tuple[Values, ...] = get_args(Values)
ORDERS: tuple[Order, ...] = get_args(Order)
THEMES: tuple[Theme, ...] = get_args(Theme)
"""The keys of `inspector.scene.theme.THEMES`."""
TEXTS: tuple[Text, ...] = get_args(Text)
MODES: tuple[Mode, ...] = get_args(Mode)
FAIL_ON: tuple[FailOn, ...] = get_args(FailOn)
ANNOTATIONS: tuple[Annotate, ...] = get_args(Annotate)
HANDOUTS: tuple[Handout, ...] = get_args(Handout)
COLOURS: tuple[Colour, ...] = get_args(Colour)
"""Colours of highlighted tensors: inks of every theme."""

CHOICES: Mapping[str, tuple[str, ...]] = {
    "style": STYLE_NAMES,
    "detail": DETAILS,
    "direction": DIRECTIONS,
    "arrows": ARROWS,
    "canvas": CANVASES,
    "derivatives": DERIVATIVES,
    "values": VALUES,
    "order": ORDERS,
    "theme": THEMES,
    "text": TEXTS,
    "record": MODES,
    "fail_on": FAIL_ON,
    "annotate": ANNOTATIONS,
    "handout": HANDOUTS,
}
"""Option -> its valid values. The formats are the keys of `inspector.export.WRITERS`."""


def check_choice(name: str, value: object, choices: tuple[str, ...] | None = None) -> None:
    """Raise ValueError, with the valid choices, for an invalid value of an option.

    choices: the valid values, if they differ from `CHOICES`.
    """
    valid = CHOICES[name] if choices is None else choices
    if value not in valid:
        raise ValueError(f"unknown {name} {value!r}; choose from: {', '.join(valid)}")


def check_depth(depth: object) -> None:
    """Raise ValueError for an invalid depth."""
    is_number = isinstance(depth, int) and not isinstance(depth, bool) and depth > 0
    if not is_number and depth not in ("auto", "full"):
        raise ValueError(f"invalid depth {depth!r}; it must be a positive integer, 'auto' or 'full'")
