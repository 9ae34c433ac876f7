"""Choose what to draw: small graphs whole, large graphs folded in the `modules` style, others as they fit."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from inspector.folding import FoldedGraph, fold
from inspector.graph import Graph
from inspector.graph.inner_parts import opened, operation_count
from inspector.graph.topology import topology_of
from inspector.options.choices import Depth, StyleName, check_depth
from inspector.options.figure_options import FigureOptions

MOST_UNFOLDED = 30
"""Maximum Nodes drawn unfolded by default."""
MOST_ON_SLIDE = 40
"""The same for a slide, on which a denser style is drawn before anything is folded."""
SMALL = 12
"""Maximum Nodes drawn unfolded whatever their size; above this the picture must fit two screens."""
TWO_SCREENS = ((1_920.0, 2_400.0), (3_840.0, 1_200.0))
"""Sizes in points that fit two screens, one below the other or side by side."""
FOLDED_STYLE: Final = "modules"
UNFOLDED_STYLE: Final = "attributes"


def choose_style(graph: Graph, look: FigureOptions, depth: Depth) -> tuple[Graph, FigureOptions]:
    """The graph to draw, and the options with a definite style.

    A folded graph is not folded again. Raises ValueError for an invalid depth, and for a numeric depth with a
    style that cannot draw boxes of several Nodes.
    """
    check_depth(depth)
    style = look.style or _style(graph, look, depth)
    if style == FOLDED_STYLE:
        shown = graph if is_folded(graph) else fold(graph, depth)
        return shown, replace(look, style=style)
    if depth not in ("auto", "full") or is_folded(graph):
        raise ValueError(f"the style {style} cannot draw folded modules; use --style {FOLDED_STYLE}")
    return graph, replace(look, style=style)


def depends_on_size(graph: Graph, look: FigureOptions, depth: Depth) -> bool:
    """Whether the size of a picture decides about its style: nothing was requested that only one of them has.

    look: as requested.
    """
    requested = look.style or look.detail or look.derivatives or look.path or look.code
    is_tight = look.canvas in (None, "tight")
    if requested or not is_tight or depth != "auto" or is_folded(graph):
        return False
    return _is_larger(graph, SMALL) and not _is_larger(graph, MOST_UNFOLDED)


def fits_two_screens(width: float, height: float) -> bool:
    """Whether a picture of this size, in points, fits two screens."""
    return any(width <= widest and height <= tallest for widest, tallest in TWO_SCREENS)


def note(graph: Graph) -> tuple[str, ...]:
    """The graph's note (what was folded, and how to unfold it), if it has one."""
    return (graph.note,) if graph.note else ()


def is_folded(graph: Graph) -> bool:
    """Whether some of its nodes are boxes of several functions."""
    return isinstance(graph, FoldedGraph) or graph.has_boxes


def _style(graph: Graph, look: FigureOptions, depth: Depth) -> StyleName:
    wanted = isinstance(depth, int) or is_folded(graph)
    most = MOST_UNFOLDED if look.canvas in (None, "tight") else MOST_ON_SLIDE
    return FOLDED_STYLE if wanted or _is_larger(graph, most) else UNFOLDED_STYLE


def _is_larger(graph: Graph, most: int) -> bool:
    """Whether more Nodes than this would be drawn, counting the operations of compiled functions."""
    functions = len(topology_of(graph))
    return functions > most or functions + operation_count(opened(graph)) > most
