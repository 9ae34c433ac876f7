"""`inspector.draw`: draw the graph of a tensor."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector.export import WRITERS, format_of, write_graph, write_scenes
from inspector.export.svg import write_svg
from inspector.figure import Figure
from inspector.figure import draw as lay_out
from inspector.graph import Graph
from inspector.options.figure_options import Depth, FigureOptions
from inspector.util.atomic_write import write_bytes_atomically

if TYPE_CHECKING:
    from inspector.commands.options import Text, Theme


class Picture:
    """A drawn graph. Notebooks display it as a picture."""

    def __init__(self, graph: Graph, figure: Figure) -> None:
        self.graph = graph
        self.figure = figure

    def svg(self, *, theme: Theme = "light", text: Text = "path") -> str:
        """The picture as SVG text."""
        return write_svg(self.figure.scene, theme=theme, text=text)

    def save(self, path: str | Path, *, theme: Theme = "light", text: Text = "path") -> None:
        """Write the picture to a file. The suffix selects the format: `.svg`, `.pdf`, `.png`, `.pptx`, ….

        text: how an SVG stores text; other formats ignore it.
        Raises ValueError for an unknown suffix, MissingExtra for a format whose packages are not installed,
        OSError.
        """
        target = Path(path)
        format = format_of(target.name)
        if format is None:
            suffixes = ", ".join(known.suffix for known in WRITERS.values())
            raise ValueError(f"{target.name}: unknown format {target.suffix!r}; choose from: {suffixes}")
        holds = WRITERS[format].holds
        if holds == "original":
            raise ValueError(f"{target.name}: torchviz needs a live graph: inspector.make_dot(z, original=True)")
        if holds == "graph":
            write_bytes_atomically(target, write_graph(format, self.graph))
        else:
            scenes = list(self.figure.panels.values()) if holds == "moments" else [self.figure.scene]
            write_bytes_atomically(target, write_scenes(format, scenes, theme=theme, text=text))

    def _repr_svg_(self) -> str:
        return self.svg(text="plain")


def draw(
    thing: Any, style: str = "", *, look: FigureOptions | None = None, depth: Depth = "auto", **options: Any
) -> Picture:
    """Draw a Graph, or anything `trace` accepts: a tensor, several tensors, a model's output.

    style: a key of `inspector.styles.STYLES`; by default `attributes`, and `modules` above 30 Nodes.
    depth: how far to fold a model: "auto", a number of levels, or "full".
    look: all options in one value; or pass them by name, as the fields of
    `inspector.options.figure_options.FigureOptions`: `detail="beginner"`, `direction="TB"`, `path="x:loss"`, ….
    Raises the errors of `trace`; ValueError for an unknown style, option or path; TooManyBoxes and LayoutFailed if
    the graph is too large to draw.
    """
    graph = thing if isinstance(thing, Graph) else _trace(thing)
    return Picture(
        graph, lay_out(graph, look if look is not None else _figure_options(style, options), depth=depth)
    )


def _figure_options(style: str, options: dict[str, Any]) -> FigureOptions:
    known = [field.name for field in fields(FigureOptions)]
    for name in options:
        if name not in known:
            raise ValueError(f"unknown option {name!r}; choose from: {', '.join(known)}")
    return FigureOptions(style=style, **options)


def _trace(thing: Any) -> Graph:
    from inspector.api.trace import trace_from  # torch is not needed to draw a Graph

    return trace_from(thing, sys._getframe(2))
