"""What a browser makes of a Scene: its `embed` file opened in Chromium, measured there, and judged.

`tests/geometry.py` judges what the Scene says about itself; here nothing of it is believed but which part is
which: every length is the browser's own, of the text as it is set in the embedded fonts and of the shapes drawn.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from math import hypot
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from inspector.export.drawing_primitives import Part, parts
from inspector.export.svg import write_svg
from inspector.scene import Panel, Scene
from inspector.typography import covers, width

PROGRAM = shutil.which("chromium")
SLIDE = (960, 540)
TOLERANCE = 0.8
"""Points: half of a border, and what rounding may cost."""
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_MEASURE = """async () => {
    await document.fonts.ready;
    const svg = document.querySelector('svg');
    const area = box => ({x: box.x, y: box.y, right: box.x + box.width, bottom: box.y + box.height});
    const along = (path, count) => {
        const length = path.getTotalLength();
        return [...Array(count + 1).keys()].map(step => {
            const point = path.getPointAtLength(length * step / count);
            return [point.x, point.y];
        });
    };
    const text = element => {
        const box = element.getBBox(), size = +element.getAttribute('font-size');
        const y = +element.getAttribute('y');
        // The box of a font reaches over its letters: from the highest letters to the lowest is what counts.
        const ink = {x: box.x, width: box.width, y: y - 0.76 * size, height: 0.98 * size};
        return {text: element.textContent, size, area: area(ink), length: element.getComputedTextLength()};
    };
    const group = element => ({
        id: element.id,
        texts: [...element.querySelectorAll('text')].map(text),
        shapes: [...element.querySelectorAll('rect, circle')].map(shape => (
            {...area(shape.getBBox()), radius: +(shape.getAttribute('r') || shape.getAttribute('rx') || 0)}
        )),
        lines: [...element.querySelectorAll('path[fill=none]')].map(path => along(path, 96)),
        tips: [...element.querySelectorAll('path:not([fill=none])')].map(path => along(path, 1)[0]),
    });
    // As text: playwright checks every number of a structure by itself, which takes longer than all of the rest.
    return JSON.stringify({
        scale: svg.getScreenCTM().a,
        fonts: [...document.fonts].map(font => font.status),
        panels: [...svg.querySelectorAll(':scope > g')].map(panel => [...panel.children].map(group)),
    });
}"""


class Area(NamedTuple):
    """A rectangle; with a radius, one with round corners, a pill or a disc."""

    x: float
    y: float
    right: float
    bottom: float
    radius: float = 0.0

    def holds(self, other: Area) -> bool:
        return (
            self.x - TOLERANCE <= other.x
            and self.y - TOLERANCE <= other.y
            and other.right <= self.right + TOLERANCE
            and other.bottom <= self.bottom + TOLERANCE
        )

    def meets(self, other: Area) -> bool:
        return (
            self.x + TOLERANCE < other.right
            and other.x + TOLERANCE < self.right
            and self.y + TOLERANCE < other.bottom
            and other.y + TOLERANCE < self.bottom
        )

    def depth(self, point: list[float]) -> float:
        """How far a point lies inside of the border; negative outside."""
        across = abs(point[0] - (self.x + self.right) / 2) - (self.right - self.x) / 2 + self.radius
        down = abs(point[1] - (self.y + self.bottom) / 2) - (self.bottom - self.y) / 2 + self.radius
        return self.radius - hypot(max(across, 0.0), max(down, 0.0)) - min(max(across, down), 0.0)


class Measured(NamedTuple):
    """A part of a panel, and its group in the browser. place: where the Scene has it. plain: it has no border."""

    part: Part
    group: dict[str, Any]
    place: Area | None
    plain: bool = False

    @property
    def areas(self) -> list[Area]:
        return [Area(**shape) for shape in self.group["shapes"]]

    @property
    def body(self) -> Area | None:
        """The largest of its shapes; of plain text, which shows no border, the room that the Scene gives it."""
        if self.plain:
            return self.place  # its shapes are strips behind lines
        areas = sorted(self.areas, key=lambda area: (area.right - area.x) * (area.bottom - area.y))
        return areas[-1] if areas else self.place

    @property
    def texts(self) -> list[tuple[str, Area]]:
        return [(text["text"], Area(**text["area"])) for text in self.group["texts"]]

    @property
    def ends(self) -> tuple[list[float], list[float]]:
        """Where a wire begins, and where it or its arrow head ends."""
        (line,) = self.group["lines"]
        return line[0], (self.group["tips"] or [line[-1]])[0]

    @property
    def course(self) -> list[list[float]]:
        return [point for line in self.group["lines"] for point in line]

    @property
    def reach(self) -> Area:
        """The rectangle around its lines."""
        xs, ys = zip(*self.course, strict=True)
        return Area(min(xs), min(ys), max(xs), max(ys))


class Picture(NamedTuple):
    """A Scene as the browser shows it. scale: pixels a point."""

    scene: Scene
    scale: float
    fonts: list[str]
    panels: list[list[Measured]]

    @property
    def sizes(self) -> set[float]:
        """The sizes of all texts, in points."""
        return {text["size"] for panel in self.panels for one in panel for text in one.group["texts"]}


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium, without a network of its own. Raises where there is none."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=_FLAGS)
        yield browser
        browser.close()


def new_page(browser: Browser) -> Page:
    """A page of the size of a slide, a point a pixel."""
    return browser.new_page(viewport={"width": SLIDE[0], "height": SLIDE[1]})


def show(page: Page, scene: Scene) -> Picture:
    """Open a Scene as large as the slide holds it, and measure it."""
    svg = write_svg(scene, text="embed")
    page.set_content(f"<style>body{{margin:0}} body>svg{{width:100vw;height:100vh;display:block}}</style>{svg}")
    found = json.loads(page.evaluate(_MEASURE))
    panels = [_measured(panel, groups) for panel, groups in zip(scene.panels, found["panels"], strict=True)]
    return Picture(scene, found["scale"], found["fonts"], panels)


def _measured(panel: Panel, groups: list[dict[str, Any]]) -> list[Measured]:
    places = {box.id: Area(box.area.x, box.area.y, box.area.right, box.area.bottom) for box in panel.boxes}
    plain = {box.id for box in panel.boxes if box.shape == "plain"}
    return [
        Measured(part, group, places.get(part.id) if part.kind == "box" else None, part.id in plain)
        for part, group in zip(parts(panel), groups, strict=True)
    ]


def problems(picture: Picture) -> list[str]:
    """Everything that is wrong with what the browser shows, one line each."""
    found = [f"a font is {status}" for status in picture.fonts if status != "loaded"]
    for panel, measured in zip(picture.scene.panels, picture.panels, strict=True):
        for check in (_clipped, _mismeasured, _outside, _collisions, _wires_over_texts, _loose, _wires_over_boxes):
            found += [f"{panel.id}: {line}" for line in check(panel, measured)]
    return found


def _clipped(panel: Panel, measured: list[Measured]) -> Iterator[str]:
    room = Area(panel.area.x, panel.area.y, panel.area.right, panel.area.bottom)
    for one in measured:
        points = [Area(x, y, x, y) for x, y in one.course]
        if not all(room.holds(area) for area in (*one.areas, *points, *(area for _, area in one.texts))):
            yield f"{one.part.id} is clipped"


def _mismeasured(_: Panel, measured: list[Measured]) -> Iterator[str]:
    """The browser must set text in the embedded fonts: then it is as long as the metrics say."""
    for one in measured:
        runs = [piece for piece in one.part.pieces if hasattr(piece, "face") and piece.text.strip()]
        for run, text in zip(runs, one.group["texts"], strict=True):
            expected = width(run.text, run.size, run.face)
            if covers(run.text, run.face) and abs(text["length"] - expected) > 0.02 * expected + 0.2:
                yield f"text {run.text!r} of {one.part.id} is {text['length']:.1f} wide, not {expected:.1f}"


def _outside(_: Panel, measured: list[Measured]) -> Iterator[str]:
    for one in measured:
        if one.part.kind == "wire" or one.body is None:
            continue
        for text, area in one.texts:
            if not one.body.holds(area):
                yield f"text {text!r} reaches out of {one.part.id}"


def _boxes(measured: list[Measured]) -> list[Measured]:
    """The boxes, without the grounds on which some stand."""
    return [one for one in measured if one.part.kind == "box"]


def _collisions(panel: Panel, measured: list[Measured]) -> Iterator[str]:
    texts = [text for one in measured for text in one.texts]
    for (one, area), (other, other_area) in combinations(texts, 2):
        if area.meets(other_area):
            yield f"text {one!r} lies over {other!r}"
    for one, other in combinations(_boxes(measured), 2):
        if one.body and other.body and one.body.meets(other.body):
            yield f"{one.part.id} lies over {other.part.id}"


def _wires_over_texts(_: Panel, measured: list[Measured]) -> Iterator[str]:
    texts = [text for one in measured for text in one.texts]
    for wire in (one for one in measured if one.part.kind == "wire"):
        reach = wire.reach
        for text, area in texts:
            if area.meets(reach) and any(area.depth(point) > TOLERANCE for point in wire.course):
                yield f"wire {wire.part.id} runs through {text!r}"


def _loose(panel: Panel, measured: list[Measured]) -> Iterator[str]:
    borders = {one.part.id: one.areas or [one.place] for one in measured if one.part.kind == "box"}
    drawn = {one.part.id: one for one in measured if one.part.kind == "wire"}
    for wire in panel.wires:
        if wire.source == wire.target and wire.source.startswith("legend"):
            continue
        ends = (wire.source, wire.target)
        for end, identifier in zip(drawn[wire.id].ends, ends, strict=True):
            found = borders.get(identifier, [])  # several for a stack of cards
            if not any(area is not None and abs(area.depth(end)) <= TOLERANCE for area in found):
                yield f"wire {wire.id} does not end on the border of {identifier}"


def _wires_over_boxes(panel: Panel, measured: list[Measured]) -> Iterator[str]:
    boxes = [(one.part.id, one.body) for one in _boxes(measured)]
    for wire in (one for one in measured if one.part.kind == "wire"):
        reach = wire.reach
        for identifier, body in boxes:
            if body is None or not body.meets(reach):
                continue
            if identifier == "legend" and wire.part.id.startswith("legend."):
                continue  # a sample beside its words
            if any(body.depth(point) > TOLERANCE for point in wire.course):
                yield f"wire {wire.part.id} runs through {identifier}"
