"""Every option that takes one of a few words: its name and its words, for the command and for the library alike.

Nothing is imported here: `inspect --help` offers these words and must be quick.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

StyleName = Literal["attributes", "circuit", "partials", "record", "modules", "engine", "torchviz"]
Detail = Literal["beginner", "standard", "expert"]
Direction = Literal["LR", "RL", "TB", "BT"]
Arrows = Literal["forward", "backward"]
Canvas = Literal["tight", "16:9", "4:3", "half"]
Derivatives = Literal["symbols", "numbers", "both", "none"]
Order = Literal["engine", "textbook"]
Theme = Literal["light", "dark", "print"]
Text = Literal["path", "embed", "plain"]
Mode = Literal["full", "light", "none"]
FailOn = Literal["error", "warning", "never"]
Annotate = Literal["github"]
Depth = int | Literal["auto", "full"]
"""How far a model is folded: modules deeper than so many parts of a path; to what a picture has room for; not."""

STYLE_NAMES: tuple[StyleName, ...] = get_args(StyleName)
"""The keys of `inspector.styles.STYLES`."""
DETAILS: tuple[Detail, ...] = get_args(Detail)
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
ARROWS: tuple[Arrows, ...] = get_args(Arrows)
CANVASES: tuple[Canvas, ...] = get_args(Canvas)
DERIVATIVES: tuple[Derivatives, ...] = get_args(Derivatives)
ORDERS: tuple[Order, ...] = get_args(Order)
THEMES: tuple[Theme, ...] = get_args(Theme)
"""The keys of `inspector.scene.theme.THEMES`."""
TEXTS: tuple[Text, ...] = get_args(Text)
MODES: tuple[Mode, ...] = get_args(Mode)
FAIL_ON: tuple[FailOn, ...] = get_args(FailOn)
ANNOTATIONS: tuple[Annotate, ...] = get_args(Annotate)

CHOICES: Mapping[str, tuple[str, ...]] = {
    "style": STYLE_NAMES,
    "detail": DETAILS,
    "direction": DIRECTIONS,
    "arrows": ARROWS,
    "canvas": CANVASES,
    "derivatives": DERIVATIVES,
    "order": ORDERS,
    "theme": THEMES,
    "text": TEXTS,
    "record": MODES,
    "fail_on": FAIL_ON,
    "annotate": ANNOTATIONS,
}
"""An option by its name, and its words. The formats are the rows of `inspector.export.WRITERS`."""


def check_choice(name: str, value: object, choices: tuple[str, ...] | None = None) -> None:
    """Raise ValueError, with the valid choices, for an invalid value of an option.

    choices: the valid ones, if they differ from those of the command's option of this name.
    """
    words = CHOICES[name] if choices is None else choices
    if value not in words:
        raise ValueError(f"unknown {name} {value!r}; choose from: {', '.join(words)}")


def check_depth(depth: object) -> None:
    """Raise ValueError for an invalid depth."""
    is_number = isinstance(depth, int) and not isinstance(depth, bool) and depth > 0
    if not is_number and depth not in ("auto", "full"):
        raise ValueError(f"invalid depth {depth!r}; it must be a positive integer, 'auto' or 'full'")
