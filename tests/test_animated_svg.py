"""Animated SVG: CSS alone, every frame at its time, and the last one without motion."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from figures import moments, steps
from msgspec.structs import replace

from inspector.export.animated_svg import LAST_MOMENT, MOMENT, write_animated_svg
from inspector.export.frame_overlay import lay_over


def test_no_script_and_still_for_who_prefers_it() -> None:
    text = write_animated_svg(steps("S3")).decode()
    ElementTree.fromstring(text)
    assert "<script" not in text
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    assert style.startswith("@media (prefers-reduced-motion: no-preference){")


def test_each_piece_is_visible_in_its_frames() -> None:
    """At the middle of each frame the keyframes show what the overlay of the frames shows."""
    scenes = [replace(scene, caption="") for scene in steps("S3")]
    text = write_animated_svg(scenes).decode()
    begins = [MOMENT * number for number in range(len(scenes))]
    total = begins[-1] + LAST_MOMENT
    bodies = re.findall(r"@keyframes (\S+?)\{((?:[^{}]*\{[^{}]*\})*)\}", text)
    rules = {name: _keyframes(body) for name, body in bodies}
    wanted = {piece.spans for part in lay_over(scenes) for piece in part.pieces if not piece.always}
    assert len(rules) == len(wanted)
    seen = set()
    for frames in rules.values():
        shown = [_visible(frames, 100 * (begin + 0.5 * MOMENT) / total) for begin in begins]
        seen.add(tuple(shown))
    frames_of = range(len(scenes))
    expected = {tuple(any(first <= at <= last for first, last in spans) for at in frames_of) for spans in wanted}
    assert seen == expected


def test_without_css_it_is_the_last_frame() -> None:
    scenes = steps("S3")
    root = ElementTree.fromstring(write_animated_svg(scenes))
    hidden = [group for group in root.iter() if group.get("visibility") == "hidden"]
    gone = [
        piece for part in lay_over(scenes) for piece in part.pieces if piece.spans[-1][1] < len(scenes) - 1
    ]
    assert len(hidden) == len(gone) > 0


def test_a_caption_is_shown_as_long_as_it_is_read() -> None:
    scenes = [replace(scene, caption="") for scene in moments("S5")]
    captioned = [replace(scene, caption="many words " * 20) for scene in scenes]
    shortest = _duration(write_animated_svg(scenes))
    assert shortest == pytest.approx(MOMENT + LAST_MOMENT)
    assert _duration(write_animated_svg(captioned)) > 3 * shortest


def _duration(svg: bytes) -> float:
    (found, *_) = re.findall(r"animation:\S+ ([\d.]+)s", svg.decode())
    return float(found)


def _keyframes(body: str) -> list[tuple[float, bool]]:
    return [(float(at), state == "visible") for at, state in re.findall(r"([\d.]+)%\{visibility:(\w+)\}", body)]


def _visible(frames: list[tuple[float, bool]], at: float) -> bool:
    return [shown for begin, shown in frames if begin <= at][-1]
