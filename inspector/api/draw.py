"""`inspector.draw`: draw the graph of a tensor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector.export import WRITERS, format_of, write_graph, write_scenes
from inspector.export.svg import write_svg
from inspector.figure import Figure
from inspector.figure import draw as lay_out
from inspector.graph import Graph, unknown
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
    Values,
    check_choice,
)
from inspector.options.figure_options import FigureOptions
from inspector.util.atomic_write import write_bytes_atomically

if TYPE_CHECKING:
    from inspector.report import BackwardCall


class Picture:
    """A drawn graph. Notebooks display it as a page in which to explore the graph.

    theme, text: the defaults of `svg` and `save`. text: None for outlines.
    values: how tensors are written, for the page.
    """

    def __init__(
        self,
        graph: Graph,
        figure: Figure,
        *,
        theme: Theme = "light",
        text: Text | None = None,
        values: Values = "auto",
    ) -> None:
        check_choice("theme", theme)
        if text is not None:
            check_choice("text", text)
        self.graph = graph
        self.figure = figure
        self.theme: Theme = theme
        self.text: Text | None = text
        self.values: Values = values

    def svg(self, *, theme: Theme | None = None, text: Text | None = None) -> str:
        """The picture as SVG text."""
        return write_svg(self.figure.scene, theme=theme or self.theme, text=text or self.text or _TEXT_IN_FILES)

    def save(self, path: str | Path, *, theme: Theme | None = None, text: Text | None = None) -> None:
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
        if holds == "page":
            write_bytes_atomically(target, self._page(theme or self.theme))
            return
        if holds == "graph":
            write_bytes_atomically(target, write_graph(format, self.graph))
            return
        scenes = list(self.figure.panels.values()) if holds == "moments" else [self.figure.scene]
        content = write_scenes(format, scenes, theme=theme or self.theme, text=text or self.text or _TEXT_IN_FILES)
        write_bytes_atomically(target, content)

    @property
    def _call(self) -> BackwardCall:
        from inspector.report import BackwardCall

        return BackwardCall(1, unknown("the graph was traced"), self.graph)

    def _page(self, theme: Theme) -> bytes:
        from inspector.page import PageSource, still_of, write_page  # a picture needs neither page nor rules

        still = still_of(self.figure.scene, theme)
        source = PageSource(values=self.values)
        return write_page(self._call, source, still=still, theme="dark" if theme == "dark" else None)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from inspector.api.notebook import notebook_bundle
        from inspector.page import PageSource

        source, text = PageSource(values=self.values), self.text or _TEXT_IN_FILES
        return notebook_bundle(self._call, self.figure.scene, source=source, theme=self.theme, text=text)


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
    values: Values = "auto",
    path: str = "",
    code: bool = False,
    theme: Theme = "light",
    text: Text | None = None,
) -> Picture:
    """Draw a Graph, or anything `trace` accepts, with the options of the command (`inspect --help`).

    style: by default `attributes`, and `modules` above 30 Nodes. depth: "auto", a number of levels, or "full".
    detail: beginner hides AccumulateGrad, standard shows every Node, expert also what each Node saved; by default
    chosen by size. direction: from the root to the leaves. arrows: the way that values flow, or the gradient.
    canvas: a slide, its left or upper half, or the size of the content. derivatives: the way to write them.
    values: numbers up to 4 x 4, a heat map up to 16 x 16, shape and norm, or the first of these that fits.
    path: `x:loss`, the tensors whose paths are highlighted. code: show the source beside the graph.
    theme, text: the defaults of `Picture.svg` and `Picture.save`.
    Raises the errors of `trace`; ValueError for an invalid value or an unknown path; TooManyBoxes; LayoutFailed.
    """
    options = FigureOptions(
        style=style,
        detail=detail,
        direction=direction,
        arrows=arrows,
        canvas=canvas,
        derivatives=derivatives,
        values=values,
        path=path,
        code=code,
    )
    graph = thing if isinstance(thing, Graph) else _trace(thing)
    return Picture(graph, lay_out(graph, options, depth=depth), theme=theme, text=text, values=values)


def _trace(thing: Any) -> Graph:
    from inspector.api.trace import trace_from  # torch is not needed to draw a Graph

    return trace_from(thing, sys._getframe(2))
