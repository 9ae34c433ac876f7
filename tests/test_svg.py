"""The SVG writer: the profile that slide programs need, ids, text in three modes, the same bytes."""

from __future__ import annotations

import base64
import math
import os
import random
import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
import resvg_py
from fontTools.ttLib import TTFont
from msgspec.structs import replace

from inspector.export.arrowheads import with_head, with_heads
from inspector.export.svg import write_svg
from inspector.options.choices import TEXTS as MODES
from inspector.scene import Badge, Band, Box, Panel, Rectangle, Scene, TextRun, Wire
from inspector.typography import width

NAMESPACE = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "title", "desc", "g", "rect", "circle", "path", "text"}
ATTRIBUTES = {
    "viewBox", "width", "height", "role", "aria-labelledby", "id", "x", "y", "rx", "cx", "cy", "r", "d",
    "fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-size", "font-weight",
    "text-anchor", "text-rendering", "{http://www.w3.org/XML/1998/namespace}space",
}  # fmt: skip
MINUS = "\N{MINUS SIGN}"
ARROW = "\N{RIGHTWARDS ARROW}"
DOT = "\N{MIDDLE DOT}"
HOSTILE = [
    "</text><script>alert(1)</script>",
    "a & b < c > d \"e\" 'f'",
    "]]>",
    "&amp;",
    "\x00\x07\x1b[31mred",
    "\u202egnp.exe",
]


# ---- the figure of z = x**2 - y**2 at (2, 0), after backward ----------------------------------------------


def card(identifier: str, x: float, y: float, role: str, rows: list[tuple[str, str, str]]) -> Box:
    """A tensor's card; a row is its key, its value and the ink of the value."""
    accent = "value" if role == "leaf" else "ink"
    bands = [Band(Rectangle(x, y, 240, 32), "leaf_header" if role == "leaf" else "header", header=True)]
    texts = [
        TextRun(x + 12, y + 23, identifier, 21, "bold", accent),
        TextRun(x + 228, y + 22, role, 15, "regular", "quiet", "end"),
    ]
    for number, (key, value, ink) in enumerate(rows):
        baseline = y + 51 + 23 * number
        changed = ink == "gradient"
        if changed:
            bands.append(Band(Rectangle(x + 1, baseline - 17, 238, 23), "changed"))
        texts.append(TextRun(x + 12, baseline, key, 15, "regular", "quiet"))
        texts.append(TextRun(x + 228, baseline + 0.5, value, 18, "bold" if changed else "regular", ink, "end"))
    return Box(identifier, Rectangle(x, y, 240, 154), "card", accent, bands=tuple(bands), texts=tuple(texts))


def pill(identifier: str, x: float, y: float, name: str) -> Box:
    text = TextRun(x, y + 6.5, name, 18, "medium", "ink", "middle")
    return Box(identifier, Rectangle(x - 85, y - 19, 170, 38), "pill", fill="function", texts=(text,))


def words(identifier: str, *texts: TextRun) -> Box:
    return Box(identifier, Rectangle(texts[0].x, texts[0].y - 20, 100, 24), "plain", texts=texts)


def gradient(
    identifier: str, ends: tuple[str, str], points: tuple[tuple[float, float], ...], *label: object
) -> Wire:
    texts = ()
    if label:
        x, y, text = label
        texts = (TextRun(x, y, text, 18, "bold", "gradient", "middle"),)  # type: ignore[arg-type]
    return Wire(identifier, *ends, points, "gradient", texts=texts)


def link(identifier: str, ends: tuple[str, str], start: tuple[float, float], end: tuple[float, float]) -> Wire:
    return Wire(identifier, *ends, (start, start, end, end), dashed=True, arrow=False)


def leaf_rows(data: str, grad: str) -> list[tuple[str, str, str]]:
    rows = [("data", data, "ink"), ("grad", grad, "gradient"), ("grad_fn", "None", "quiet")]
    return [*rows, ("is_leaf", "True", "ink"), ("requires_grad", "True", "ink")]


def after() -> Scene:
    """The picture of `z.backward()` that the rest of these tests writes."""
    root_rows = [
        ("data", "4", "ink"),
        ("grad", "None (not a leaf)", "quiet"),
        ("grad_fn", "SubBackward", "ink"),
    ]
    root_rows += [("is_leaf", "False", "ink"), ("requires_grad", "True", "ink")]
    boxes = (
        words(
            "heading",
            TextRun(40, 36, "z = x**2 - y**2", 21, "mono"),
            TextRun(318, 36, "after", 21, "bold", "gradient"),
            TextRun(390, 36, "z.backward()", 21, "mono", "gradient"),
        ),
        card("z", 40, 62, "root", root_rows),
        card("x", 680, 62, "leaf", leaf_rows("2", f"None {ARROW} 4")),
        card("y", 680, 370, "leaf", leaf_rows("0", f"None {ARROW} 0")),
        pill("n0", 160, 295, "SubBackward"),
        pill("n1", 430, 252, "PowBackward"),
        pill("n2", 800, 252, "AccumulateGrad"),
        pill("n3", 430, 338, "PowBackward"),
        pill("n4", 800, 338, "AccumulateGrad"),
        words("t1", TextRun(430, 220, "x**2 = 4", 17, "mono", "value", "middle")),
        words("t3", TextRun(430, 384, "y**2 = 0", 17, "mono", "value", "middle")),
        words("legend:step-words", TextRun(94, 476, "order in which the engine runs", 15, "regular", "quiet")),
        words("legend:flow-words", TextRun(94, 505, "the gradient flows", 15, "regular", "quiet")),
        words(
            "legend:link-words",
            TextRun(294, 505, "grad_fn of a tensor, leaf of an AccumulateGrad", 15, "regular", "quiet"),
        ),
    )
    wires = (
        link("z-n0", ("z", "n0"), (160, 216), (160, 276)),
        link("n2-x", ("n2", "x"), (800, 233), (800, 216)),
        link("n4-y", ("n4", "y"), (800, 357), (800, 370)),
        gradient("n0-n1", ("n0", "n1"), ((245, 295), (295, 295), (295, 252), (345, 252)), 296, 246, "1"),
        gradient("n0-n3", ("n0", "n3"), ((245, 295), (295, 295), (295, 338), (345, 338)), 292, 360, f"{MINUS}1"),
        gradient(
            "n1-n2",
            ("n1", "n2"),
            ((515, 252), (600, 252), (630, 252), (715, 252)),
            612,
            240,
            f"2x {DOT} 1 = 4",
        ),
        gradient(
            "n3-n4",
            ("n3", "n4"),
            ((515, 338), (600, 338), (630, 338), (715, 338)),
            612,
            366,
            f"2y {DOT} ({MINUS}1) = 0",
        ),
        gradient("legend:flow", ("", ""), ((40, 500), (55, 500), (69, 500), (84, 500))),
        link("legend:link", ("", ""), (250, 500), (284, 500)),
    )
    places = {"n0": (81, 277), "n3": (351, 320), "n4": (721, 320), "n1": (351, 234), "n2": (721, 234)}
    badges = tuple(Badge(f"step-{name}", x, y, str(turn)) for turn, (name, (x, y)) in enumerate(places.items(), 1))
    badges += (Badge("legend:step", 52, 471, "1"),)
    panel = Panel("after", Rectangle(0, 0, 960, 540), boxes, wires, badges)
    return Scene(
        960, 540, (panel,), "z = x**2 - y**2 after z.backward()", "x: grad None, then 4\ny: grad None, then 0"
    )


def small(**changes: object) -> Scene:
    """One pill with a name, to be hostile with."""
    panel = Panel("p", Rectangle(0, 0, 200, 60), (pill("n0", 100, 30, "Sub"),))
    return replace(Scene(200, 60, (panel,)), **changes)  # type: ignore[arg-type]


def saying(text: str, face: str = "regular") -> Scene:
    run = TextRun(10, 30, text, 18, face)
    return small(panels=(Panel("p", Rectangle(0, 0, 200, 60), (words("note", run),)),))


def tree(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def ink(path: str) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the points on path data as `outline` writes it (M, m, l, q and z)."""
    x = y = 0.0
    across: list[float] = []
    down: list[float] = []
    for command, rest in re.findall(r"([MmlqZz])([^MmlqZz]*)", path):
        numbers = [float(number) for number in re.findall(r"-?\d*\.?\d+", rest)]
        step = {"M": 2, "m": 2, "l": 2, "q": 4}.get(command, 1)
        for first in range(0, len(numbers), step):
            end = numbers[first : first + step][-2:]
            x, y = (end[0], end[1]) if command == "M" else (x + end[0], y + end[1])
            across.append(x)
            down.append(y)
        if command in "Mm":
            start = (x, y)
        if command == "z":
            x, y = start
    return min(across), min(down), max(across), max(down)


# ---- the profile -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
@pytest.mark.parametrize("text", MODES)
def test_the_file_keeps_to_the_profile_of_slide_programs(theme: str, text: str) -> None:
    root = tree(write_svg(after(), theme=theme, text=text))  # type: ignore[arg-type]
    allowed = ELEMENTS | ({"style"} if text == "embed" else set())
    assert {element.tag.removeprefix(NAMESPACE) for element in root.iter()} <= allowed
    assert {name for element in root.iter() for name in element.attrib} <= ATTRIBUTES
    colours = {element.get(name) for element in root.iter() for name in ("fill", "stroke")} - {None, "none"}
    assert all(re.fullmatch("#[0-9A-F]{6}", str(colour)) for colour in colours)
    assert len([element for element in root.iter() if element.tag == f"{NAMESPACE}svg"]) == 1


def test_text_is_outlines_by_default_and_kept_in_title_and_description() -> None:
    root = tree(write_svg(after()))
    assert not list(root.iter(f"{NAMESPACE}text"))
    assert root.get("role") == "img"
    named = {element.get("id"): element.text for element in root.iter()}
    assert root.get("aria-labelledby") == "figure-title figure-desc"
    assert named["figure-title"] == "z = x**2 - y**2 after z.backward()"
    assert named["figure-desc"] == "x: grad None, then 4\ny: grad None, then 0"


def test_a_scene_without_title_is_labelled_by_nothing() -> None:
    root = tree(write_svg(small()))
    assert "aria-labelledby" not in root.attrib
    assert not list(root.iter(f"{NAMESPACE}title"))


def test_one_unit_is_one_point_and_the_ground_can_be_left_out() -> None:
    root = tree(write_svg(after()))
    assert (root.get("viewBox"), root.get("width"), root.get("height")) == ("0 0 960 540", "960", "540")
    assert [element.get("width") for element in root if element.tag == f"{NAMESPACE}rect"] == ["960"]
    clear = tree(write_svg(after(), ground=False))
    assert not [element for element in clear if element.tag == f"{NAMESPACE}rect"]


@pytest.mark.parametrize(
    ("change", "words_of_the_error"),
    [
        ({"theme": "neon"}, "light, dark, print"),
        ({"text": "hologram"}, "path, embed, plain"),
    ],
)
def test_a_wrong_choice_is_told_with_the_choices(change: dict[str, str], words_of_the_error: str) -> None:
    with pytest.raises(ValueError, match=words_of_the_error):
        write_svg(small(), **change)  # type: ignore[arg-type]


def test_an_ink_or_a_face_that_does_not_exist_is_told() -> None:
    box = Box("n0", Rectangle(0, 0, 10, 10), "pill", fill="no-such-ink")
    with pytest.raises(ValueError, match="unknown ink 'no-such-ink'"):
        write_svg(small(panels=(Panel("p", Rectangle(0, 0, 9, 9), (box,)),)))
    for mode in MODES:
        with pytest.raises(ValueError, match="unknown font face 'italic'"):
            write_svg(saying("x", "italic"), text=mode)  # type: ignore[arg-type]


# ---- ids ---------------------------------------------------------------------------------------------------


def ids(svg: str) -> list[str]:
    return [element.attrib["id"] for element in tree(svg).iter() if "id" in element.attrib]


def test_ids_are_unique_prefixed_and_the_same_in_every_panel() -> None:
    one = after()
    both = replace(one, panels=(replace(one.panels[0], id="before"), one.panels[0]), prefix="z")
    found = ids(write_svg(both))
    assert len(set(found)) == len(found)
    assert all(identifier.startswith("z-") for identifier in found)
    parts = [
        [item.removeprefix(f"z-{panel}-") for item in found if item.startswith(f"z-{panel}-")]
        for panel in ("before", "after")
    ]
    assert parts[0] == parts[1]
    assert {"n0", "n0-n1", "step-n0", "legend_flow"} <= set(parts[0])


def test_ids_of_any_text_are_names_in_xml_and_stay_apart() -> None:
    boxes = tuple(pill(identifier, 50, 30, "Sub") for identifier in ("g:n0", "g n0", 'g"n0', "g<n0"))
    found = ids(write_svg(small(panels=(Panel("1 / 2", Rectangle(0, 0, 9, 9), boxes),), prefix='1"><script>')))
    assert len(set(found)) == len(found) == 5
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", identifier) for identifier in found)


# ---- text --------------------------------------------------------------------------------------------------


def test_outlines_are_as_wide_as_the_metrics_say() -> None:
    groups = {element.get("id"): element for element in tree(write_svg(after())).iter()}
    for box in after().panels[0].boxes:
        group = groups[f"figure-after-{box.id.replace(':', '_')}"]
        paths = [path.attrib["d"] for path in group if re.fullmatch(r"[Mmlqz\d. -]+", path.get("d", ""))]
        assert len(paths) == len(box.texts)
        for run, path in zip(box.texts, paths, strict=True):
            wide = width(run.text, run.size, run.face)
            start = run.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[run.anchor] * wide
            left, top, right, bottom = ink(path)
            assert (left, right) == pytest.approx((start, start + wide), abs=0.15 * run.size)
            assert run.y - run.size < top < bottom < run.y + 0.4 * run.size


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text(mode: str, text: str) -> None:
    scene = replace(saying(text), title=text, description=text)
    svg = write_svg(scene, text=mode)  # type: ignore[arg-type]
    root = tree(svg)
    assert {element.tag.removeprefix(NAMESPACE) for element in root.iter()} <= ELEMENTS | {"style"}
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", svg)
    if mode == "plain":
        (shown,) = root.iter(f"{NAMESPACE}text")
        assert shown.text == re.sub("[\x00-\x1f\u202e]", "", text)


def test_what_the_fonts_lack_is_real_text_in_every_mode() -> None:
    (shown,) = tree(write_svg(saying("損失 = 2"))).iter(f"{NAMESPACE}text")
    assert shown.text == "損失 = 2"
    assert shown.attrib["font-family"].endswith("sans-serif")


def test_blanks_that_the_metrics_count_are_kept() -> None:
    (shown,) = tree(write_svg(saying("a  b"), text="plain")).iter(f"{NAMESPACE}text")
    assert shown.get("{http://www.w3.org/XML/1998/namespace}space") == "preserve"


def test_embedded_fonts_hold_what_is_written_and_no_more() -> None:
    svg = write_svg(saying("Sub ∇²", "bold"), text="embed")
    assert 'font-family="figure-Inter, Inter,' in svg
    (encoded,) = re.findall(r"base64,([A-Za-z0-9+/=]+)", svg)
    font = TTFont(BytesIO(base64.b64decode(encoded)))
    assert {chr(code) for code in font.getBestCmap()} == set("Sub ∇²")
    assert not {"GSUB", "GPOS", "kern"} & set(font.keys())
    assert "font-weight:700" in svg


def test_two_figures_on_one_page_have_fonts_of_their_own() -> None:
    families = [
        re.findall('font-family:"([^"]+)"', write_svg(replace(saying("a"), prefix=prefix), text="embed"))
        for prefix in ("one", "two")
    ]
    assert families == [["one-Inter"], ["two-Inter"]]


# ---- wires, badges -----------------------------------------------------------------------------------------


def test_a_line_stops_where_its_head_begins() -> None:
    line, head = with_head([(0, 0), (50, 0), (50, 0), (100, 0)])
    assert line[-1] == pytest.approx((90, 0))
    assert head == [(100, 0), pytest.approx((88, 6)), pytest.approx((88, -6))]


@pytest.mark.parametrize("end", [(0.0, 50.0), (-50.0, 0.0), (30.0, -40.0)])
def test_a_head_points_the_way_the_wire_goes(end: tuple[float, float]) -> None:
    _, (tip, left, right) = with_head([(0, 0), (0, 0), end, end])
    base = ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2)
    assert tip == end
    assert (tip[0] - base[0], tip[1] - base[1]) == pytest.approx((end[0] * 12 / 50, end[1] * 12 / 50))


def test_the_head_of_a_short_wire_is_smaller_and_of_none_is_none() -> None:
    line, head = with_head([(0, 0), (0, 0), (10, 0), (10, 0)])
    assert head[1] == pytest.approx((4, 3))
    assert 4 < line[-1][0] < 10
    assert with_head([(5, 5)] * 4) == ([(5, 5)] * 4, [])


def test_a_head_may_be_longer_than_the_last_segment() -> None:
    points = [(0.0, 0.0), (30.0, 0.0), (60.0, 0.0), (95.0, 0.0), (96.0, 0.0), (98.0, 0.0), (100.0, 0.0)]
    line, head = with_head(points)
    assert len(line) == 4
    assert line[-1] == pytest.approx((90, 0))
    assert head[1] == pytest.approx((88, 6))


def test_heads_cut_together_are_those_cut_one_by_one() -> None:
    chosen = random.Random(0)
    wires = [[(chosen.uniform(0, 90), chosen.uniform(0, 90)) for _ in range(count)] for count in (4, 7, 10) * 20]
    wires += [[(5.0, 5.0)] * 4, [(0.0, 0.0), (0.0, 0.0), (3.0, 0.0), (3.0, 0.0)]]
    together = with_heads(wires)
    assert together == [with_head(points) for points in wires]
    for points, (line, head) in zip(wires, together, strict=True):
        reach = max(math.dist(point, points[-1]) for point in points[::3])
        scale = min(1.0, 0.6 * reach / 12)
        assert math.dist(line[-1], points[-1]) == pytest.approx(10 * scale, abs=1e-3)
        assert len(head) == (3 if reach else 0)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_a_wire_that_is_no_spline_is_told(count: int) -> None:
    with pytest.raises(ValueError, match="a spline must have 4, 7, 10"):
        with_head([(0.0, 0.0)] * count)


def test_dashed_wires_have_dashes_and_no_head() -> None:
    root = tree(write_svg(after()))
    (group,) = (element for element in root.iter() if element.get("id") == "figure-after-z-n0")
    (path,) = group
    assert path.get("stroke-dasharray") == "5 4"
    assert path.get("stroke-width") == "1.6"


def test_a_long_number_makes_its_badge_wider() -> None:
    panel = Panel("p", Rectangle(0, 0, 200, 60), badges=(Badge("a", 30, 30, "44"), Badge("b", 90, 30, "1024")))
    root = tree(write_svg(small(panels=(panel,)), ground=False))
    (disc,) = root.iter(f"{NAMESPACE}circle")
    (short_pill,) = root.iter(f"{NAMESPACE}rect")
    assert disc.get("r") == "11.5"
    assert float(short_pill.attrib["width"]) >= width("1024", 15, "bold") + 8


# ---- the same each time, and a picture ---------------------------------------------------------------------


def test_the_bytes_are_the_same_in_every_process() -> None:
    code = "import sys, test_svg as t; [sys.stdout.write(t.write_svg(t.after(), text=m)) for m in t.MODES]"
    here = Path(__file__).parent
    outputs = [
        subprocess.run(
            [sys.executable, "-X", "utf8", "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": f"{here}{os.pathsep}{here.parent}"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].startswith(b"<svg")


def test_a_rasteriser_draws_it() -> None:
    image = bytes(resvg_py.svg_to_bytes(svg_string=write_svg(after())))
    assert image.startswith(b"\x89PNG")
    assert len(image) > 20_000


def test_numbers_are_short() -> None:
    assert not re.search(
        r"\d\.\d{3,}|\de[+-]?\d|\.0\D", re.sub(r'(id|fill)="[^"]*"', "", write_svg(after(), text="plain"))
    )
