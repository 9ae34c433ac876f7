"""`inspector.draw`: the picture of a tensor's graph."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector.graph import Graph
from inspector.layout import Figure
from inspector.layout import draw as lay_out
from inspector.look import Depth, Look
from inspector.whole import write_bytes
from inspector.writers import WRITERS, format_of, write_graph, write_scenes
from inspector.writers.svg import write_svg

if TYPE_CHECKING:
    from inspector.command.options import Text, Theme


class Picture:
    """A drawn graph. In a notebook it shows itself."""

    def __init__(self, graph: Graph, figure: Figure) -> None:
        self.graph = graph
        self.figure = figure

    def svg(self, *, theme: Theme = "light", text: Text = "path") -> str:
        """The picture as the text of an SVG file."""
        return write_svg(self.figure.scene, theme=theme, text=text)

    def save(self, path: str | Path, *, theme: Theme = "light", text: Text = "path") -> None:
        """Write the picture to a file, whose suffix is the format: `.svg`, `.pdf`, `.png`, `.pptx`, ….

        text: of an svg; the other formats have their own way with text.
        Raises ValueError for another suffix, MissingExtra for a format whose packages are not installed, OSError.
        """
        target = Path(path)
        format = format_of(target.name)
        if format is None:
            suffixes = ", ".join(known.suffix for known in WRITERS.values())
            raise ValueError(f"{target.name}: no format {target.suffix!r}; the formats: {suffixes}")
        holds = WRITERS[format].holds
        if holds == "original":
            raise ValueError(f"{target.name}: torchviz draws live graphs: inspector.make_dot(z, original=True)")
        if holds == "graph":
            write_bytes(target, write_graph(format, self.graph))
        else:
            scenes = list(self.figure.panels.values()) if holds == "moments" else [self.figure.scene]
            write_bytes(target, write_scenes(format, scenes, theme=theme, text=text))

    def _repr_svg_(self) -> str:
        return self.svg(text="plain")


def draw(
    thing: Any, style: str = "", *, look: Look | None = None, depth: Depth = "auto", **wishes: Any
) -> Picture:
    """Draw a Graph, or what `trace` takes: a tensor, several of them, a model's output.

    style: a key of `inspector.styles.STYLES`; without one `attributes`, and `modules` above 30 Nodes.
    depth: how far a model is folded: "auto", a number of path parts, or "full".
    look: all wishes in one value; or wishes by name, the fields of `inspector.look.Look`: `detail="beginner"`,
    `direction="TB"`, `path="x:loss"`, ….
    Raises what `trace` raises; ValueError for an unknown style, wish or path; TooManyBoxes and LayoutFailed where
    the graph is too large to be drawn.
    """
    graph = thing if isinstance(thing, Graph) else _trace(thing)
    return Picture(graph, lay_out(graph, look if look is not None else _look(style, wishes), depth=depth))


def _look(style: str, wishes: dict[str, Any]) -> Look:
    known = [field.name for field in fields(Look)]
    for name in wishes:
        if name not in known:
            raise ValueError(f"no wish {name!r}; there are: {', '.join(known)}")
    return Look(style=style, **wishes)


def _trace(thing: Any) -> Graph:
    from inspector.library.tracing import trace_from  # torch is not needed to draw a Graph

    return trace_from(thing, sys._getframe(2))
