"""The themes: a colour for each ink of a Scene.

Text inks have a contrast of at least 4.5 on every fill of their theme, strokes at least 3 on the background
(tests/test_theme.py). Value and gradient differ in hue for the three common kinds of colour blindness. In `light`
and `dark` both have the same brightness, so that a grey copy distinguishes them by position and weight only;
`print` is for grey paper and distinguishes them by brightness.
"""

from __future__ import annotations

from collections.abc import Mapping

from inspector.options.choices import check_choice

Theme = Mapping[str, str]
"""The colour (`#RRGGBB`) of every ink."""

SCALE = tuple(f"scale_{level}" for level in range(9))
"""The inks of a sequential scale, from the smallest to the largest value."""

DIVERGING = tuple(f"diverging_{level}" for level in range(25))
"""The inks of a scale with zero in its middle, from the most negative to the most positive value."""

_TURNS = {
    "light": ("#6A2380", "#9566A9", "#C4A9D2", "#E9DAEC", "#FFFFFF", "#D6EED1", "#A2D59B", "#55A65C", "#176B33"),
    "dark": ("#E3B7F2", "#B07CC6", "#7D4B93", "#47305A", "#16181D", "#23432A", "#35713F", "#57A75E", "#A9E3A3"),
    "print": ("#101010", "#303030", "#505050", "#6C6C6C", "#888888", "#A6A6A6", "#C2C2C2", "#E0E0E0", "#FFFFFF"),
}
"""Colours of a diverging scale at even distances: purple for negative, green for positive values, which differ for
the colour-blind as well, and the ground for zero. On grey paper it runs from black to white."""


def _diverging(theme: str) -> Theme:
    """The colours of `DIVERGING`, mixed from the two nearest ones of `_TURNS`."""
    turns = [[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in _TURNS[theme]]
    found = {}
    for level, ink in enumerate(DIVERGING):
        place = level * (len(turns) - 1) / (len(DIVERGING) - 1)
        first = min(int(place), len(turns) - 2)
        pairs = zip(turns[first], turns[first + 1], strict=True)
        mixed = (round(one + (other - one) * (place - first)) for one, other in pairs)
        found[ink] = "#" + "".join(f"{part:02X}" for part in mixed)
    return found


THEMES: Mapping[str, Theme] = {
    "light": {
        **_diverging("light"),
        "ground": "#FFFFFF",
        "ink": "#222222",
        "quiet": "#5B6470",  # keys and remarks
        "faded": "#7E858F",  # everything that is not on a highlighted path
        "line": "#8A919B",  # wires, dashed lines
        "value": "#0067A5",
        "gradient": "#B84700",
        "gradient_pale": "#EDB48C",  # the part of a bar between two norms
        "function": "#F4F5F7",  # the fill of a function's pill
        "header": "#ECEDEF",
        "leaf_header": "#E3EFF7",
        "changed": "#FBEADF",  # a row that backward changed
        "badge_text": "#FFFFFF",
        "error": "#B3001B",
        "solution": "#5A3FB5",  # the numbers that a handout leaves out
        "teal": "#006B60",
        "purple": "#8A2BA5",
        "green": "#38700A",
        "pink": "#B0155F",
        "scale_0": "#F0F6FC",
        "scale_1": "#DCEAF6",
        "scale_2": "#C4DDEF",
        "scale_3": "#A3CBE4",
        "scale_4": "#7BB3D8",
        "scale_5": "#5397C8",
        "scale_6": "#3279B2",
        "scale_7": "#1A5A96",
        "scale_8": "#083D77",
    },
    "dark": {
        **_diverging("dark"),
        "ground": "#16181D",
        "ink": "#FFFFFF",
        "quiet": "#A9B0BC",
        "faded": "#7C8491",
        "line": "#7C8491",
        "value": "#56B4E9",
        "gradient": "#F0A050",
        "gradient_pale": "#7A5430",
        "function": "#24272E",
        "header": "#2E323A",
        "leaf_header": "#17303F",
        "changed": "#3D2A18",
        "badge_text": "#16181D",
        "error": "#FF8A80",
        "solution": "#B7A6FF",
        "teal": "#4FD1C0",
        "purple": "#D79BF0",
        "green": "#9BD45F",
        "pink": "#FF8FC0",
        "scale_0": "#1C2530",
        "scale_1": "#1D3142",
        "scale_2": "#1E4058",
        "scale_3": "#1F5272",
        "scale_4": "#24688F",
        "scale_5": "#2F82AE",
        "scale_6": "#459FCB",
        "scale_7": "#74BDE2",
        "scale_8": "#B5E0F6",
    },
    "print": {
        **_diverging("print"),
        "ground": "#FFFFFF",
        "ink": "#000000",
        "quiet": "#595959",
        "faded": "#7A7A7A",
        "line": "#808080",
        "value": "#4A4A4A",
        "gradient": "#000000",
        "gradient_pale": "#A8A8A8",
        "function": "#F5F5F5",
        "header": "#EDEDED",
        "leaf_header": "#E6E6E6",
        "changed": "#E0E0E0",
        "badge_text": "#FFFFFF",
        "error": "#000000",
        "solution": "#4A4A4A",
        "teal": "#000000",
        "purple": "#333333",
        "green": "#4A4A4A",
        "pink": "#262626",
        "scale_0": "#F4F4F4",
        "scale_1": "#E2E2E2",
        "scale_2": "#CFCFCF",
        "scale_3": "#B8B8B8",
        "scale_4": "#9E9E9E",
        "scale_5": "#818181",
        "scale_6": "#626262",
        "scale_7": "#424242",
        "scale_8": "#222222",
    },
}


def find_theme(name: str) -> Theme:
    """The Theme of this name. Raises ValueError with the valid names."""
    check_choice("theme", name)
    return THEMES[name]
