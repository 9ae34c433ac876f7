"""A folded Graph, whose rows are built on first use."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.folding.boxes import FoldedBox, Item, members
from inspector.folding.folded_rows import build_folded_rows
from inspector.graph import Graph
from inspector.graph.step_replay import reordered
from inspector.graph.topology import topology_of
from inspector.options.choices import Order


class FoldedGraph(Graph):
    """A view of a Graph: every function is shown once, by itself or in a box (`FoldRow`).

    whole: the unfolded Graph. items: the functions and boxes shown, in walk order. note: a sentence about what was
    folded; empty for a view that was not made by `fold`.
    """

    def __init__(self, whole: Graph, items: Sequence[Item], note: str = "") -> None:
        ordered = sorted(items, key=lambda item: members(item)[0])
        super().__init__(
            lambda: build_folded_rows(whole, ordered),
            roots=whole.roots,
            steps=whole.steps,
            error=whole.error,
            note=note,
        )
        self.whole = whole
        self.marks = whole.marks
        self.scale = whole.scale
        self.order = whole.order
        self.items = tuple(ordered)


def whole_of(graph: Graph) -> Graph:
    """The unfolded Graph of a view; a Graph that is not a view is returned unchanged.

    Raises ValueError for a folded graph without its Nodes (one loaded from a report.json).
    """
    if isinstance(graph, FoldedGraph):
        return graph.whole
    if graph.has_boxes:
        raise ValueError("this graph was saved folded, without the Nodes inside its boxes")
    return graph


def items_of(graph: Graph) -> tuple[Item, ...]:
    """The items of a view; for any other Graph, every function."""
    if isinstance(graph, FoldedGraph):
        return graph.items
    return tuple(range(len(topology_of(whole_of(graph)))))


def with_step_order(graph: Graph, order: Order) -> Graph:
    """A Graph or a view with its steps in this order (`step_replay.reordered`)."""
    if order == graph.order:
        return graph
    whole = reordered(whole_of(graph), order)
    return make_folded_graph(whole, items_of(graph), graph.note) if isinstance(graph, FoldedGraph) else whole


def make_folded_graph(whole: Graph, items: Sequence[Item], note: str = "") -> Graph:
    """The Graph that shows these items: `whole` itself if none of them is a box."""
    return FoldedGraph(whole, items, note) if any(isinstance(item, FoldedBox) for item in items) else whole
