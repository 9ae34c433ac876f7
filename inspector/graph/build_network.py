"""Build a networkx graph from rows in one go.

`add_edges_from` takes 3 microseconds per edge, and a graph may have millions of edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import networkx

Attributes = Mapping[str, Any]


def network_of(
    nodes: Iterable[tuple[str, Attributes]], edges: Iterable[tuple[str, str, Attributes]]
) -> networkx.MultiDiGraph[Any]:
    """A network of (id, attributes) and (source, target, attributes), in their order, parallel edges with the keys
    0, 1, … that networkx gives. It takes the dictionaries as its own. Raises KeyError for an edge to no node."""
    network: Any = networkx.MultiDiGraph()
    # These three are what networkx keeps a graph in, and what its readers and writers go by.
    own, following, preceding = network._node, network._succ, network._pred
    for identifier, attributes in nodes:
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
    made: networkx.MultiDiGraph[Any] = network
    return made
