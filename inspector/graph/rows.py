"""The nodes and edges of a graph, in the dictionaries in which networkx keeps them.

The package reads these. networkx takes a quarter of a second to import, and is asked for only where a user wants
`Graph.network`: it then uses the same dictionaries, so that a change in one is a change in the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx

Attributes = Mapping[str, Any]
Neighbours = dict[str, dict[str, dict[int, Any]]]
"""id → id of a neighbour → number of the parallel edge → attributes."""


class Rows:
    """A directed graph with parallel edges.

    nodes: attributes by id. succ, pred: the edges from and to each node, as in networkx.
    """

    __slots__ = ("_network", "nodes", "pred", "succ")

    def __init__(self) -> None:
        self.nodes: dict[str, Any] = {}
        self.succ: Neighbours = {}
        self.pred: Neighbours = {}
        self._network: networkx.MultiDiGraph[Any] | None = None

    def __contains__(self, identifier: object) -> bool:
        return identifier in self.nodes

    def add_node(self, identifier: str, attributes: Attributes) -> None:
        """Add a node. The attributes are not copied."""
        self.nodes[identifier] = attributes
        self.succ[identifier] = {}
        self.pred[identifier] = {}

    def add_edge(self, source: str, target: str, attributes: Attributes) -> None:
        """Add an edge between two nodes. The attributes are not copied. Parallel edges are numbered from 0."""
        ways = self.succ[source]
        if target in ways:
            parallel = ways[target]
            parallel[len(parallel)] = attributes
        else:
            ways[target] = self.pred[target][source] = {0: attributes}

    def edges(self) -> Iterator[tuple[str, str, Any]]:
        """(source, target, attributes) of every edge."""
        for source, neighbours in self.succ.items():
            for target, parallel in neighbours.items():
                for attributes in parallel.values():
                    yield source, target, attributes

    def out_edges(self, source: str) -> Iterator[tuple[str, Any]]:
        """(target, attributes) of the edges from a node."""
        for target, parallel in self.succ[source].items():
            for attributes in parallel.values():
                yield target, attributes

    def in_edges(self, target: str) -> Iterator[tuple[str, Any]]:
        """(source, attributes) of the edges to a node."""
        for source, parallel in self.pred[target].items():
            for attributes in parallel.values():
                yield source, attributes

    def network(self) -> networkx.MultiDiGraph[Any]:
        """The same graph in networkx, which takes over the dictionaries."""
        if self._network is None:
            import networkx

            made: Any = networkx.MultiDiGraph()
            made._node, made._adj, made._pred = self.nodes, self.succ, self.pred
            self._network = made
        found: networkx.MultiDiGraph[Any] = self._network
        return found


def rows_of(nodes: Iterable[tuple[str, Attributes]], edges: Iterable[tuple[str, str, Attributes]]) -> Rows:
    """The rows of these (id, attributes) and (source, target, attributes), in the same order.

    Raises KeyError if an end of an edge is not among the nodes.
    """
    rows = Rows()
    own, following, preceding = rows.nodes, rows.succ, rows.pred
    for identifier, attributes in nodes:  # the methods would take twice as long, for a million Nodes
        own[identifier] = attributes
        following[identifier] = {}
        preceding[identifier] = {}
    for source, target, attributes in edges:
        ways = following[source]
        if target in ways:
            parallel = ways[target]
            parallel[len(parallel)] = attributes
        else:
            ways[target] = preceding[target][source] = {0: attributes}
    return rows
