"""The themes: legible, and presentation a value from a gradient for every eye and on grey paper."""

from __future__ import annotations

import re
from itertools import product

import pytest

from inspector.options.choices import COLOURS
from inspector.scene.theme import THEMES, find_theme

Colour = tuple[float, float, float]

TEXT_INKS = ("ink", "quiet", "value", "gradient", "error", "solution", *COLOURS)
FILLS = ("ground", "function", "header", "leaf_header", "changed")

# Machado, Oliveira and Fernandes 2009, at full severity, on linear RGB.
EYES = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
WHITE = (0.95047, 1.0, 1.08883)


def linear(colour: str) -> Colour:
    parts = [int(colour[first : first + 2], 16) / 255 for first in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return red, green, blue


def times(matrix: tuple[Colour, ...], colour: Colour) -> Colour:
    x, y, z = (sum(factor * part for factor, part in zip(row, colour, strict=True)) for row in matrix)
    return x, y, z


def lab(colour: Colour) -> Colour:
    """CIE Lab of a colour in linear RGB."""
    clipped = tuple(min(max(part, 0.0), 1.0) for part in colour)
    x, y, z = (
        share ** (1 / 3) if share > 0.008856 else 7.787 * share + 16 / 116
        for share in (part / white for part, white in zip(times(TO_XYZ, clipped), WHITE, strict=True))  # type: ignore[arg-type]
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(first: Colour, second: Colour) -> float:
    """How different two colours look (CIE 1976; some 2.3 is just noticeable)."""
    return sum((one - other) ** 2 for one, other in zip(lab(first), lab(second), strict=True)) ** 0.5


def contrast(first: str, second: str) -> float:
    """The contrast of WCAG 2, from 1 to 21."""
    dark, light = sorted(times(TO_XYZ, linear(colour))[1] for colour in (first, second))
    return (light + 0.05) / (dark + 0.05)


def test_all_themes_have_the_same_inks_as_plain_colours() -> None:
    assert len({frozenset(theme) for theme in THEMES.values()}) == 1
    assert all(re.fullmatch("#[0-9A-F]{6}", colour) for theme in THEMES.values() for colour in theme.values())


def test_the_hues_are_those_of_the_conventions() -> None:
    assert [THEMES["light"][ink] for ink in ("value", "gradient", "ink")] == ["#0067A5", "#B84700", "#222222"]
    assert [THEMES["dark"][ink] for ink in ("value", "gradient", "ink")] == ["#56B4E9", "#F0A050", "#FFFFFF"]


@pytest.mark.parametrize("name", THEMES)
def test_text_is_legible_on_every_fill(name: str) -> None:
    theme = THEMES[name]
    weak = [(ink, fill) for ink, fill in product(TEXT_INKS, FILLS) if contrast(theme[ink], theme[fill]) < 4.5]
    assert weak == []
    assert contrast(theme["badge_text"], theme["gradient"]) >= 4.5


@pytest.mark.parametrize("name", THEMES)
def test_lines_and_what_is_faded_stay_visible(name: str) -> None:
    theme = THEMES[name]
    assert contrast(theme["line"], theme["ground"]) >= 3
    assert all(contrast(theme["faded"], theme[fill]) >= 3 for fill in FILLS)
    assert contrast(theme["faded"], theme["ground"]) < contrast(theme["quiet"], theme["ground"])


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("eye", EYES)
def test_value_and_gradient_differ_for_the_colour_blind(name: str, eye: str) -> None:
    value, gradient = (times(EYES[eye], linear(THEMES[name][ink])) for ink in ("value", "gradient"))
    assert distance(value, gradient) > 40


def test_value_and_gradient_differ_on_grey_paper() -> None:
    value, gradient = (lab(linear(THEMES["print"][ink])) for ink in ("value", "gradient"))
    assert abs(value[0] - gradient[0]) > 25
    assert all(max(linear(colour)) == min(linear(colour)) for colour in THEMES["print"].values())


def test_a_wrong_theme_is_told_with_the_choices() -> None:
    with pytest.raises(ValueError, match="light, dark, print"):
        find_theme("neon")
