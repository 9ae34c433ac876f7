"""What the `modules` style draws of a graph: boxes and functions, and the edges between them.

A folded graph answers from its rows. Any other graph answers from the columns of its index: most rows of a graph
that was just traced, such as those of the tensors that its functions saved, are then never made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from inspector.graph import Graph
from inspector.graph.row_types import FlowEdge, FoldRow, FunctionRow, NextEdge
from inspector.graph.topology import Topology, topology_of
from inspector.graph.values import Value
from inspector.styles.inner_groups import inner_texts, made_texts


class ShownFunction(Struct):
    """A function that is drawn by itself.

    module, passes, gradient: as in its row. texts: what is inside of it, and what created it.
    """

    name: str
    module: Any
    passes: list[int] | None
    gradient: Value
    texts: tuple[str, ...] = ()


ShownEdge = tuple[str, str, NextEdge | FlowEdge]
"""The ids of both ends, and the attributes."""


class ShownItems(Struct):
    """items: boxes and functions by id, in drawing order. edges: those between them, and to leaves. leaves: ids of
    AccumulateGrads. roots: a root and the item that created it."""

    items: dict[str, ShownFunction | FoldRow]
    edges: list[ShownEdge]
    leaves: set[str]
    roots: list[tuple[str, str]]

    @property
    def boxes(self) -> list[FoldRow]:
        return [item for item in self.items.values() if not isinstance(item, ShownFunction)]

    @property
    def functions(self) -> dict[str, ShownFunction]:
        return {key: item for key, item in self.items.items() if isinstance(item, ShownFunction)}

    @property
    def wires(self) -> Iterator[ShownEdge]:
        """The edges that are drawn as wires, i.e. not those to leaves."""
        return (edge for edge in self.edges if edge[1] not in self.leaves)


def shown_items(graph: Graph) -> ShownItems:
    """What is drawn of a graph. An AccumulateGrad is an item only if it is a root."""
    return _of_rows(graph) if graph.has_boxes else _of_columns(graph)


def _of_rows(graph: Graph) -> ShownItems:
    items: dict[str, ShownFunction | FoldRow] = {}
    leaves: dict[str, ShownFunction] = {}
    for identifier, node in graph.nodes():
        if node["kind"] == "fold":
            items[identifier] = node
        elif node["kind"] == "function":
            if node["is_leaf"]:
                leaves[identifier] = _of_row(node)
            else:
                items[identifier] = _of_row(node)
    pred, roots = graph.rows.pred, set(graph.roots)
    items |= {identifier: leaf for identifier, leaf in leaves.items() if not pred[identifier]}
    edges: list[ShownEdge] = [*graph.edges("next"), *graph.edges("flow")]
    made = [(tensor, maker) for tensor, maker, _ in graph.edges("grad_fn") if tensor in roots]
    return ShownItems(items, edges, set(leaves), made)


def _of_row(node: FunctionRow) -> ShownFunction:
    texts = (*inner_texts(node), *made_texts(node))
    return ShownFunction(node["name"], node["module"], node.get("passes"), node["gradient"], texts)


def _of_columns(graph: Graph) -> ShownItems:
    of, roots = topology_of(graph), set(graph.roots)
    columns, flags = of.functions, of.leaf_flags
    entered = set(of.targets)
    functions = list(map(ShownFunction, columns.names, columns.modules, columns.passes, columns.gradients))
    for position, row in columns.described.items():
        functions[position] = _of_row(row)
    numbered = list(zip(of.ids, functions, flags, strict=True))
    items: dict[str, ShownFunction | FoldRow] = {key: item for key, item, is_leaf in numbered if not is_leaf}
    items |= {
        key: item for at, (key, item, is_leaf) in enumerate(numbered) if is_leaf and at not in entered
    }
    leaves = {key for key, _, is_leaf in numbered if is_leaf}
    made = [(tensor, maker) for tensor, (maker, _) in of.makers.items() if tensor in roots]
    return ShownItems(items, list(_edges(of)), leaves, [pair for pair in made if pair[1] not in leaves])


def _edges(of: Topology) -> Iterator[ShownEdge]:
    """The edges by source, those to the same target together, as in the rows."""
    ids, starts, targets, edges = of.ids, of.starts, of.targets, of.edges
    for position, source in enumerate(ids):
        numbers: list[int] = list(range(starts[position], starts[position + 1]))
        if len(numbers) > 2:
            first = {targets[number]: number for number in reversed(numbers)}
            numbers.sort(key=lambda number: first[targets[number]])
        for number in numbers:
            yield source, ids[targets[number]], edges[number]
