"""`inspector.draw`: the picture of a tensor's graph."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector.graph import Graph
from inspector.layout import Figure
from inspector.layout import draw as lay_out
from inspector.whole import write_text
from inspector.writers.svg import write_svg

if TYPE_CHECKING:
    from inspector.command.options import Direction, Text, Theme

SUFFIXES = (".svg",)


class Picture:
    """A drawn graph. In a notebook it shows itself."""

    def __init__(self, graph: Graph, figure: Figure) -> None:
        self.graph = graph
        self.figure = figure

    def svg(self, *, theme: Theme = "light", text: Text = "path") -> str:
        """The picture as the text of an SVG file."""
        return write_svg(self.figure.scene, theme=theme, text=text)

    def save(self, path: str | Path, *, theme: Theme = "light", text: Text = "path") -> None:
        """Write the picture to a file, whose suffix is the format. Raises ValueError for another, OSError."""
        target = Path(path)
        if target.suffix.lower() not in SUFFIXES:
            raise ValueError(f"{target.name}: no format {target.suffix!r}; the formats: {', '.join(SUFFIXES)}")
        write_text(target, self.svg(theme=theme, text=text))

    def _repr_svg_(self) -> str:
        return self.svg(text="plain")


def draw(thing: Any, *, style: str = "attributes", direction: Direction | None = None) -> Picture:
    """Draw a Graph, or what `trace` takes: a tensor, several of them, a model's output.

    Raises what `trace` raises; ValueError for an unknown style; TooManyBoxes and LayoutFailed where the graph is
    too large to be drawn.
    """
    graph = thing if isinstance(thing, Graph) else _trace(thing)
    return Picture(graph, lay_out(graph, style=style, direction=direction))


def _trace(thing: Any) -> Graph:
    from inspector.library.tracing import trace_from  # torch is not needed to draw a Graph

    return trace_from(thing, sys._getframe(2))
