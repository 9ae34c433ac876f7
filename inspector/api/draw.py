"""`inspector.draw`: the picture of a tensor's graph."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from inspector.export import WRITERS, format_of, write_graph, write_scenes
from inspector.export.svg import write_svg
from inspector.figure import Figure
from inspector.figure import draw as lay_out
from inspector.graph import Graph
from inspector.options.choices import (
    Arrows,
    Canvas,
    Depth,
    Derivatives,
    Detail,
    Direction,
    StyleName,
    Text,
    Theme,
    check_choice,
)
from inspector.options.figure_options import FigureOptions
from inspector.util.atomic_write import write_bytes_atomically


class Picture:
    """A drawn graph. In a notebook it shows itself.

    theme, text: those of `svg` and `save` where these are given none. text: None for outlines in files and plain
    text in a notebook.
    """

    def __init__(self, graph: Graph, figure: Figure, *, theme: Theme = "light", text: Text | None = None) -> None:
        check_choice("theme", theme)
        if text is not None:
            check_choice("text", text)
        self.graph = graph
        self.figure = figure
        self.theme: Theme = theme
        self.text: Text | None = text

    def svg(self, *, theme: Theme | None = None, text: Text | None = None) -> str:
        """The picture as the text of an SVG file."""
        return write_svg(self.figure.scene, theme=theme or self.theme, text=text or self.text or _TEXT_IN_FILES)

    def save(self, path: str | Path, *, theme: Theme | None = None, text: Text | None = None) -> None:
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
            write_bytes_atomically(target, write_graph(format, self.graph))
            return
        scenes = list(self.figure.panels.values()) if holds == "moments" else [self.figure.scene]
        content = write_scenes(format, scenes, theme=theme or self.theme, text=text or self.text or _TEXT_IN_FILES)
        write_bytes_atomically(target, content)

    def _repr_svg_(self) -> str:
        return self.svg(text=self.text or "plain")


_TEXT_IN_FILES: Text = "path"


def draw(
    thing: Any,
    *,
    style: StyleName | None = None,
    depth: Depth = "auto",
    detail: Detail | None = None,
    direction: Direction | None = None,
    arrows: Arrows | None = None,
    canvas: Canvas | None = None,
    derivatives: Derivatives | None = None,
    path: str = "",
    code: bool = False,
    theme: Theme = "light",
    text: Text | None = None,
) -> Picture:
    """Draw a Graph, or what `trace` takes: a tensor, several of them, a model's output.

    The options are those of the command, `inspect --help`.
    style: what the picture shows; without one `attributes`, and `modules` above 30 Nodes.
    depth: how far a model is folded: "auto", a number of path parts, or "full".
    detail: how much: without AccumulateGrad, every Node, all that a Node holds; by default by size.
    direction: the way from the root to the leaves. arrows: as the values flow, or as the gradient does.
    canvas: a slide, half of one, or as large as the figure. derivatives: local ones on the edges.
    path: `x:loss`, the tensors whose paths are lit. code: whether the source stands beside the graph.
    theme, text: colours and letters, unless `Picture.svg` and `Picture.save` are given others.
    Raises what `trace` raises; ValueError, with the words there are, for a wrong one, and for an unknown path;
    TooManyBoxes and LayoutFailed where the graph is too large to be drawn.
    """
    options = FigureOptions(
        style=style,
        detail=detail,
        direction=direction,
        arrows=arrows,
        canvas=canvas,
        derivatives=derivatives,
        path=path,
        code=code,
    )
    graph = thing if isinstance(thing, Graph) else _trace(thing)
    return Picture(graph, lay_out(graph, options, depth=depth), theme=theme, text=text)


def _trace(thing: Any) -> Graph:
    from inspector.api.trace import trace_from  # torch is not needed to draw a Graph

    return trace_from(thing, sys._getframe(2))
