"""Figures to write in all formats: small graphs drawn once, and Scenes with hostile texts."""

from __future__ import annotations

from functools import cache

import graphs

from inspector.figure import Figure, draw, frames
from inspector.options import FigureOptions
from inspector.scene import Box, Panel, Rectangle, Scene, TextRun

HOSTILE = (
    "</text><script>alert(1)</script>",
    "a & b < c > d \"e\" 'f'",
    "]]> &amp; --> -->",
    "\\input{x} $a_1^2$ {b} #c %d ~e",
    "\x00\x07\x1b[31mred \u202egnp.exe",
    "損失 = 2 · שלום · w\u0304 · αβ²",
    "x" * 200,
    "",
)


@cache
def figure(name: str, style: str = "attributes") -> Figure:
    """The figure of one of the graphs of `graphs.SHAPES`."""
    return draw(graphs.SHAPES[name](), FigureOptions(style=style))


@cache
def moments(name: str) -> tuple[Scene, ...]:
    """Before, and after."""
    return tuple(figure(name).panels.values())


@cache
def steps(name: str) -> tuple[Scene, ...]:
    """Before, the engine's steps, after."""
    return tuple(frames(graphs.SHAPES[name]()).panels.values())


def hostile() -> Scene:
    """A Scene that says everything that a format might take for more than text, everywhere."""
    boxes = tuple(
        Box(f'n"{index}<&', Rectangle(10, 10 + 40 * index, 600, 36), "pill", texts=(_run(text, index),))
        for index, text in enumerate(HOSTILE)
    )
    everything = "\n".join(HOSTILE)
    panel = Panel('"><b>', Rectangle(0, 0, 620, 340), boxes)
    return Scene(620, 340, (panel,), HOSTILE[0], everything, prefix='1"><script>')


def _run(text: str, index: int) -> TextRun:
    faces = ("regular", "medium", "bold", "mono")
    return TextRun(310, 34 + 40 * index, text, 14, faces[index % 4], anchor="middle")
