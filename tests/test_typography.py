"""The bundled fonts, the widths of text and its outlines."""

from __future__ import annotations

import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from fontTools.pens.boundsPen import BoundsPen
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st

from inspector.page.embedded_fonts import LETTERS, embedded, font_file
from inspector.typography import (
    FACES,
    cap_height,
    covers,
    one_line,
    pluralize,
    sanitize,
    shorten,
    shorten_name,
    width,
)
from inspector.typography.decimal import decimal
from inspector.typography.fonts import subset
from inspector.typography.glyph_paths import glyph_path
from inspector.typography.sanitize import isolate_right_to_left

NEEDED = (
    "".join(map(chr, range(0x20, 0x7F)))
    + "äöüßéñçøœŷšłαβγδεθλμπσφωΔΣΩЖяё"
    + "\N{MINUS SIGN}\N{MULTIPLICATION SIGN}·⋅…∂∇∞∑√≈≠≤≥→←↑↓⁰¹²³⁴⁵⁶⁷⁸⁹⁻ⁿ₀₁₂₃₉‖■□●○◆▲\u0302"
)


# ---- the fonts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("face", FACES)
def test_a_bundled_font_is_small_and_every_renderer_sets_it_alike(face: str) -> None:
    font = TTFont(FACES[face].path)
    assert FACES[face].path.stat().st_size < 80_000
    assert "glyf" in font
    assert not {"GSUB", "GPOS", "kern", "fpgm", "prep"} & set(font.keys())
    assert font["OS/2"].usWeightClass == FACES[face].weight
    assert covers(NEEDED, face)


@pytest.mark.parametrize("licence", ["Inter-LICENSE.txt", "FiraCode-LICENSE.txt"])
def test_the_licences_lie_beside_the_fonts_and_reserve_no_name(licence: str) -> None:
    text = (FACES["regular"].path.parent / licence).read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE Version 1.1" in text
    assert "with Reserved Font Name" not in text


def test_text_needs_no_torch() -> None:
    code = (
        "import sys; from inspector.typography.glyph_paths import glyph_path; glyph_path('x', 9); "
        "sys.exit('torch' in sys.modules)"
    )
    root = Path(__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_a_subset_holds_just_what_is_used() -> None:
    assert len(subset("mono", frozenset("x**2"))) < 5_000
    assert subset("mono", frozenset("x**2"), "woff")[:4] == b"wOFF"


@pytest.mark.parametrize("name", LETTERS)
def test_a_page_embeds_its_letters(name: str, request: pytest.FixtureRequest) -> None:
    letters = frozenset(LETTERS[name])
    if request.config.getoption("--update-golden"):
        font_file(name).write_bytes(subset(name, letters, "woff"))
    found, expected = TTFont(BytesIO(embedded(name))), TTFont(BytesIO(subset(name, letters)))
    assert found.flavor == "woff" and found.keys() == expected.keys()
    tables = sorted({*expected.keys()} - {"GlyphOrder", "head"})  # head: a checksum
    assert all(found.reader[table] == expected.reader[table] for table in tables)


# ---- widths ------------------------------------------------------------------------------------------------


def test_widths_grow_with_the_size_and_are_sums() -> None:
    assert width("", 18) == 0
    assert width("AV", 18) == pytest.approx(width("A", 18) + width("V", 18))  # a pair that kerning would close
    assert width("grad", 36) == pytest.approx(2 * width("grad", 18))
    assert width("AccumulateGrad", 18, "medium") == pytest.approx(144.4, abs=0.1)


@pytest.mark.parametrize("text", ["**", "->", "==", "!=", "www", "x**2"])
def test_code_has_no_ligatures(text: str) -> None:
    assert width(text, 10, "mono") == pytest.approx(len(text) * width("x", 10, "mono"))


def test_a_character_that_the_font_lacks_is_one_em_and_an_accent_nothing() -> None:
    assert width("損失", 18) == 36
    assert not covers("損失")
    assert width("x\u0302", 18) == width("x", 18)


def test_capitals_are_lower_than_an_em() -> None:
    for face in FACES:
        assert 6 < cap_height(10, face) < 8


def test_a_wrong_face_is_told_with_the_choices() -> None:
    with pytest.raises(ValueError, match="regular, medium, bold, mono"):
        width("x", 18, "italic")


def test_controls_and_turns_of_direction_are_dropped_and_line_breaks_are_blanks() -> None:
    assert sanitize("a\x00b\x1b[0m\tc\nd\u202ee\ufffef") == "ab[0m c def"
    assert sanitize("y\u0302") == "ŷ"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("(\n    (u - v)\n    .pow(2)\n    .mean()\n) + 0.1 * w", "((u - v).pow(2).mean()) + 0.1 * w"),
        ("F.mse_loss(\n    a,\n    b,\n)", "F.mse_loss(a, b,)"),
        ("x = [\n  1,\n  2]", "x = [1, 2]"),
        ("a + \\\n  b", "a + \\ b"),
        ("f( x )[ 0 ] . y", "f( x )[ 0 ] . y"),
        ("wait\n... and see", "wait ... and see"),
    ],
)
def test_lines_of_code_are_joined_as_one_would_write_them(code: str, line: str) -> None:
    assert one_line(code) == line
    assert width("a\x00b", 18) == width("ab", 18)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("שלום = 4", "שלום\u200e = 4"),
        ("∂z/∂שלום = 1", "∂z/∂שלום\u200e = 1"),
        ("x = ש", "x = ש\u200e"),
        ("سلام עולם 2", "سلام\u200e עולם\u200e 2"),
        ("", ""),
    ],
)
def test_a_number_stays_right_of_a_right_to_left_name(text, expected):
    assert isolate_right_to_left(text) == expected


@given(st.text(max_size=30), st.floats(min_value=0, max_value=200))
def test_shortened_text_fits(text: str, room: float) -> None:
    short = shorten(text, room, 18)
    assert width(short, 18) <= room
    assert short == sanitize(text) or short == "" or short.endswith("…")


def test_shortened_text_keeps_as_much_as_fits() -> None:
    assert shorten("grad", 100, 18) == "grad"
    assert shorten("AccumulateGrad", width("Accumul…", 18), 18) == "Accumul…"
    assert shorten("a bcdef", width("a …", 18), 18) == "a…"
    assert shorten("grad", 1, 18) == ""


def test_a_shortened_name_keeps_its_end() -> None:
    """Parameters of one model differ there."""
    name = "linear_relu_stack.4.weight"
    assert shorten_name(name, 1000, 18) == name
    assert shorten_name(name, width("…stack.4.weight", 18), 18) == "…stack.4.weight"
    assert shorten_name(name, 1, 18) == ""
    assert shorten_name("ab\N{COMBINING ACUTE ACCENT}cd", width("…cd", 18), 18) == "…cd"


# ---- outlines ----------------------------------------------------------------------------------------------


Box = tuple[float, float, float, float]


def contours(path: str) -> list[list[tuple[float, float]]]:
    """The points of each contour; control points of TrueType outlines lie on or within its box, as a rule."""
    x = y = 0.0
    found: list[list[tuple[float, float]]] = []
    for command, rest in re.findall(r"([Mmlqz])([^Mmlqz]*)", path):
        numbers = [float(number) for number in re.findall(r"-?\d*\.?\d+", rest)]
        size = {"M": 2, "m": 2, "l": 2, "q": 4, "z": 1}[command]
        assert len(numbers) % size == 0
        if command in "Mm":
            found.append([])
        for first in range(0, len(numbers), size):
            end_x, end_y = numbers[first : first + size][-2:]
            x, y = (end_x, end_y) if command == "M" else (x + end_x, y + end_y)
            found[-1].append((x, y))
        if command == "z":
            x, y = found[-1][0]
    return found


def corners(path: str) -> Box:
    """The box of all of a path's points."""
    return box_of([point for contour in contours(path) for point in contour])


def box_of(points: list[tuple[float, float]]) -> Box:
    across, down = zip(*points, strict=True)
    return min(across), min(down), max(across), max(down)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("character", list("gQ8&@%ŷ∇→{}"))
def test_an_outline_has_the_box_of_its_glyph(face: str, character: str) -> None:
    font = TTFont(FACES[face].path)
    glyphs = font.getGlyphSet()
    pen = BoundsPen(glyphs)
    glyphs[font.getBestCmap()[ord(character)]].draw(pen)
    left, low, right, high = (bound * 100 / font["head"].unitsPerEm for bound in pen.bounds)
    expected = (10 + left, 200 - high, 10 + right, 200 - low)
    assert corners(glyph_path(character, 100, face, 10, 200)) == pytest.approx(expected, abs=0.7)


def test_an_outline_is_where_it_should_be_and_no_wider_than_its_text() -> None:
    left, top, right, bottom = corners(glyph_path("PowBackward", 18, "medium", 100, 50))
    assert 100 < left < right < 100 + width("PowBackward", 18, "medium")
    assert top == pytest.approx(50 - cap_height(18, "medium"), abs=1)
    assert bottom == pytest.approx(50, abs=0.4)


def test_an_accent_stands_over_its_letter() -> None:
    letter = corners(glyph_path("x", 100))
    _, accent = contours(glyph_path("x\u0302", 100))
    left, _, right, _ = box_of(accent)
    assert (left + right) / 2 == pytest.approx((letter[0] + letter[2]) / 2, abs=3)


def test_an_outline_is_the_same_wherever_it_stands() -> None:
    here, there = (contours(glyph_path("Sigmoid ∇", 18, x=x, y=y)) for x, y in ((0, 0), (1234.567, 4321.765)))
    assert len(here) > 8  # of most letters one contour, of some two
    for one, other in zip(here, there, strict=True):
        for (x, y), (far_x, far_y) in zip(one, other, strict=True):
            assert (far_x - x, far_y - y) == pytest.approx((1234.567, 4321.765), abs=0.011)


def test_an_outline_is_compact() -> None:
    path = glyph_path("None → 4", 18, "bold")
    assert not re.search(r"\d\.\d{3}|[ ]-|(?<!\d)0\.\d|e", path)
    assert len(path) < 3_000
    assert glyph_path("  ", 18) == ""


def test_an_outline_of_what_the_font_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="no glyph for '損'"):
        glyph_path("a損", 18)


# ---- decimals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.0, "2"), (-0.001, "0"), (0.5, "0.5"), (-0.25, "-0.25"), (10.0, "10"), (99.999, "100"), (1.1, "1.1")],
)
def test_decimals(value: float, text: str) -> None:
    assert decimal(value) == text


@given(st.floats(min_value=-1e6, max_value=1e6))
def test_decimals_read_back(value: float) -> None:
    assert float(decimal(value)) == pytest.approx(value, abs=0.00501)


def test_what_is_no_place_is_refused() -> None:
    with pytest.raises(ValueError):
        decimal(float("nan"))


@pytest.mark.parametrize(
    "said, count, words",
    [
        ("1 box", 1, ("box", "boxes")),
        ("2 boxes", 2, ("box", "boxes")),
        ("0 Nodes", 0, ("Node",)),
        ("1 Node", 1, ("Node",)),
        ("3,000 Nodes", 3_000, ("Node",)),
    ],
)
def test_one_thing_has_no_s(said: str, count: int, words: tuple[str, ...]) -> None:
    assert pluralize(count, *words) == said
