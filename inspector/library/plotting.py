"""`inspector.plot`: the slope at a point, along the leaves of a root."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from inspector.graph import Graph
from inspector.library.picture import Picture
from inspector.plots import plot_graph


def plot(thing: Any, *leaves: Any) -> Picture:
    """Draw the curve of a root along each of its scalar leaves, the others fixed, with its tangent at the point.

    thing: a tensor, or a Graph. leaves: which of its leaves, as tensors or by name (of a Graph: by name);
    without any all of them, up to four. What the script computed is not computed again: the curve is evaluated
    from what the graph holds. So plot before `backward()`, which releases it, or what was traced before.
    Raises what `trace` raises, ValueError for a leaf that the graph does not have, and
    `inspector.derivatives.evaluation.NotEvaluable` with a line that says why no curve can be drawn.
    """
    if isinstance(thing, Graph):
        graph, names = thing, [str(leaf) for leaf in leaves]
    else:
        graph, names = _traced(thing, leaves, sys._getframe(1))
    known = {row["name"]: key for key, row in graph.tensors() if row["is_leaf"] and row["requires_grad"]}
    for name in names:
        if name not in known:
            raise ValueError(f"no leaf {name!r}; the leaves are: {', '.join(map(str, known))}")
    return Picture(graph, plot_graph(graph, [known[name] for name in names] or None))


def _traced(thing: Any, leaves: tuple[Any, ...], frame: Any) -> tuple[Graph, list[str]]:
    """The graph of a tensor, and the names of leaves that are given as tensors or by name."""
    from inspector.files import Files
    from inspector.library.tracing import trace_named
    from inspector.naming import names_from

    names = names_from(frame, Files(str(Path.cwd())))
    wanted = [leaf if isinstance(leaf, str) else names.name(leaf) or "a leaf without a name" for leaf in leaves]
    return trace_named(thing, names), wanted
