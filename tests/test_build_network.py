"""The networkx graph that is made at once, against the one that networkx makes."""

import random

import networkx
import pytest

from inspector.graph.build_network import network_of


def rows(seed):
    chosen = random.Random(seed)
    names = [f"n{k}" for k in range(30)]
    edges = [(chosen.choice(names), chosen.choice(names), {"slot": k}) for k in range(120)]
    return [(name, {"kind": "function", "number": k}) for k, name in enumerate(names)], edges


@pytest.mark.parametrize("seed", range(5))
def test_is_what_networkx_makes(seed):
    nodes, edges = rows(seed)
    expected = networkx.MultiDiGraph()
    expected.add_nodes_from(nodes)
    expected.add_edges_from(edges)
    made = network_of(*rows(seed))
    assert list(made.nodes(data=True)) == list(expected.nodes(data=True))
    assert list(made.edges(keys=True, data=True)) == list(expected.edges(keys=True, data=True))
    assert list(made.in_edges(keys=True, data=True)) == list(expected.in_edges(keys=True, data=True))
    assert len({key for _, _, key in made.edges(keys=True)}) > 1  # some are parallel


def test_can_be_changed_like_any_other():
    made = network_of(*rows(0))
    source, target, key = next(iter(made.edges(keys=True)))
    made.edges[source, target, key]["seen"] = True
    assert next(edge for _, end, edge in made.in_edges(target, data=True) if "seen" in edge)["seen"]
    count = made.number_of_edges()
    made.add_edge("n0", "new", kind="next")
    made.remove_node("n1")
    assert "new" in made.successors("n0") and "n1" not in made
    assert made.number_of_edges() < count + 1
    assert set(made.reverse().nodes) == set(made.copy().nodes) == set(made.nodes)


def test_an_edge_to_no_node_is_refused():
    with pytest.raises(KeyError):
        network_of([("n0", {})], [("n0", "n1", {})])
