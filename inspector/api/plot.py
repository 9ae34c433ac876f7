"""`inspector.plot`: the root as a curve along each leaf; `inspector.plot_norms`: gradient norms by layer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from inspector.api.draw import Picture
from inspector.graph import Graph
from inspector.graph.topology import topology_of
from inspector.options.choices import Text, Theme
from inspector.plots import plot_graph, plot_layers
from inspector.report import Report


def plot(thing: Any, *leaves: Any, theme: Theme = "light", text: Text | None = None) -> Picture:
    """Plot the root along each of its scalar leaves, the others fixed, with the tangent at the leaf's value.

    thing: a tensor, or a Graph. leaves: the leaves to plot, as tensors or by name (for a Graph: by name); by
    default all, up to four. The forward is not run again: the curve is evaluated from the saved tensors of the
    graph. So plot before `backward()`, which releases them, or plot a Graph that was traced before it.
    theme, text: as for `draw`.
    Raises the errors of `trace`, ValueError for a leaf that is not in the graph, and
    `inspector.derivatives.finite_differences.NotEvaluable` with the reason why no curve can be drawn.
    """
    if isinstance(thing, Graph):
        graph, names = thing, [str(leaf) for leaf in leaves]
    else:
        graph, names = _traced(thing, leaves, sys._getframe(1))
    known = {graph.tensor(leaf)["name"]: leaf for leaf in topology_of(graph).leaves.values()}
    for name in names:
        if name not in known:
            raise ValueError(f"unknown leaf {name!r}; choose from: {', '.join(map(str, known))}")
    return Picture(graph, plot_graph(graph, [known[name] for name in names] or None), theme=theme, text=text)


def plot_norms(
    thing: Graph | Report, call: int = 1, *, theme: Theme = "light", text: Text | None = None
) -> Picture:
    """Plot the gradient norm of each layer, from the root to the leaves, as bars on a logarithmic axis.

    thing: a Graph whose backward was recorded, or a Report (`inspector.load`, `recording.report()`).
    call: the backward call of the report, by its index from 1. The scale of a GradScaler is divided out.
    theme, text: as for `draw`.
    Raises ValueError for a call that is not in the report, and if no gradient norm is known.
    """
    if isinstance(thing, Graph):
        return Picture(thing, plot_layers(thing), theme=theme, text=text)
    calls = {item.index: item for item in thing.calls}
    if call not in calls:
        raise ValueError(f"no backward call {call}; recorded calls: {', '.join(map(str, calls)) or 'none'}")
    graph, scale = calls[call].graph, calls[call].setting.scale
    return Picture(graph, plot_layers(graph, scale), theme=theme, text=text)


def _traced(thing: Any, leaves: tuple[Any, ...], frame: Any) -> tuple[Graph, list[str]]:
    """The graph of a tensor, and the names of leaves given as tensors or by name."""
    from inspector.api.trace import trace_named
    from inspector.user_code.paths import UserFiles
    from inspector.user_code.variable_names import names_from

    names = names_from(frame, UserFiles(str(Path.cwd())))
    wanted = [leaf if isinstance(leaf, str) else names.name(leaf) or "a leaf without a name" for leaf in leaves]
    return trace_named(thing, names), wanted
