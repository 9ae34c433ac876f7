"""Build a networkx graph from rows by filling its dictionaries directly.

networkx's `add_edges_from` takes 3 microseconds per edge, and a graph may have millions of edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import networkx

Attributes = Mapping[str, Any]


def network_of(
    nodes: Iterable[tuple[str, Attributes]], edges: Iterable[tuple[str, str, Attributes]]
) -> networkx.MultiDiGraph[Any]:
    """The network of these (id, attributes) and (source, target, attributes), in the same order.

    Parallel edges get the keys 0, 1, … as in networkx. The dictionaries of attributes are not copied. Raises
    KeyError if an end of an edge is not among the nodes.
    """
    network: Any = networkx.MultiDiGraph()
    # networkx stores a graph in these three dictionaries, and all its methods use them.
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
