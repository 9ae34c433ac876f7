"""What of a graph is drawn: all of it in a style for few Nodes, or folded in the style of models."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from inspector.folding import FoldedGraph, fold
from inspector.graph import Graph
from inspector.options.choices import Depth, StyleName, check_depth
from inspector.options.figure_options import FigureOptions

MOST_UNFOLDED = 30
"""Nodes; above this a figure without a wish for a style is drawn folded."""
FOLDED_STYLE: Final = "modules"
UNFOLDED_STYLE: Final = "attributes"


def choose_style(graph: Graph, look: FigureOptions, depth: Depth) -> tuple[Graph, FigureOptions]:
    """The graph as it is drawn, and the look with its style settled.

    A graph that is folded already, by whatever view, is drawn as it is. Raises ValueError for an unknown depth,
    and for a number with a style that draws no boxes of several Nodes.
    """
    check_depth(depth)
    style = look.style or _style(graph, depth)
    if style == FOLDED_STYLE:
        shown = graph if is_folded(graph) else fold(graph, depth)
        return shown, replace(look, style=style)
    if depth not in ("auto", "full") or is_folded(graph):
        raise ValueError(f"the style {style} draws no folded modules; --style {FOLDED_STYLE} does")
    return graph, replace(look, style=style)


def note(graph: Graph) -> tuple[str, ...]:
    """What was folded and how to unfold it, as at most one line."""
    return (graph.note,) if graph.note else ()


def is_folded(graph: Graph) -> bool:
    """Whether some of its nodes are boxes of several functions."""
    return isinstance(graph, FoldedGraph) or any(
        attributes["kind"] == "fold" for _, attributes in graph.network.nodes(data=True)
    )


def _style(graph: Graph, depth: Depth) -> StyleName:
    wanted = isinstance(depth, int) or is_folded(graph)
    return FOLDED_STYLE if wanted or _is_large(graph) else UNFOLDED_STYLE


def _is_large(graph: Graph) -> bool:
    return any(number >= MOST_UNFOLDED for number, _ in enumerate(graph.functions()))
