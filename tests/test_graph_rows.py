"""The rows of a graph, against what networkx makes of the same nodes and edges."""

import random

import networkx
import pytest

from inspector.graph.rows import Rows, rows_of
from inspector.graph.traversal import on_cycles, strong_components


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
    made = rows_of(*rows(seed)).network()
    assert list(made.nodes(data=True)) == list(expected.nodes(data=True))
    assert list(made.edges(keys=True, data=True)) == list(expected.edges(keys=True, data=True))
    assert list(made.in_edges(keys=True, data=True)) == list(expected.in_edges(keys=True, data=True))
    assert len({key for _, _, key in made.edges(keys=True)}) > 1  # some are parallel


def test_can_be_changed_like_any_other():
    kept = rows_of(*rows(0))
    made = kept.network()
    source, target, key = next(iter(made.edges(keys=True)))
    made.edges[source, target, key]["seen"] = True
    assert next(edge for _, end, edge in made.in_edges(target, data=True) if "seen" in edge)["seen"]
    count = made.number_of_edges()
    made.add_edge("n0", "new", kind="next")
    made.remove_node("n1")
    assert "new" in made.successors("n0") and "n1" not in made
    assert made.number_of_edges() < count + 1
    assert set(made.reverse().nodes) == set(made.copy().nodes) == set(made.nodes) == set(kept.nodes)
    assert "new" in kept and "n1" not in kept
    assert list(kept.edges()) == list(made.edges(data=True))


@pytest.mark.parametrize("seed", range(5))
def test_edges_of_a_node(seed):
    nodes, edges = rows(seed)
    kept = Rows()
    for identifier, attributes in nodes:
        kept.add_node(identifier, attributes)
    for edge in edges:
        kept.add_edge(*edge)
    made = kept.network()
    assert list(kept.edges()) == list(made.edges(data=True)) == list(rows_of(nodes, edges).edges())
    for name, _ in nodes:
        leaving, arriving = made.out_edges(name, data=True), made.in_edges(name, data=True)
        assert list(kept.out_edges(name)) == [(target, edge) for _, target, edge in leaving]
        assert list(kept.in_edges(name)) == [(source, edge) for source, _, edge in arriving]


@pytest.mark.parametrize("seed", range(20))
def test_components(seed):
    chosen = random.Random(seed)
    following = [chosen.sample(range(12), chosen.choice((0, 1, 1, 2))) for _ in range(12)]
    numbers = strong_components(following)
    flow = networkx.DiGraph([(vertex, target) for vertex, targets in enumerate(following) for target in targets])
    flow.add_nodes_from(range(12))
    expected = {frozenset(component) for component in networkx.strongly_connected_components(flow)}
    assert {frozenset(v for v in range(12) if numbers[v] == number) for number in set(numbers)} == expected
    assert all(numbers[target] <= numbers[vertex] for vertex, target in flow.edges)
    others = [[target for target in targets if target != vertex] for vertex, targets in enumerate(following)]
    assert on_cycles(others) == [any({vertex} < component for component in expected) for vertex in range(12)]


def test_no_vertex_of_a_graph_without_cycles_is_on_one():
    assert on_cycles([[1, 2], [3], [3], []]) == [False] * 4
    assert on_cycles([]) == []


def test_components_of_a_long_way_need_no_deep_stack():
    count = 5_000
    assert strong_components([[k + 1] for k in range(count - 1)] + [[]]) == [*reversed(range(count))]
    assert set(strong_components([[(k + 1) % count] for k in range(count)])) == {0}


def test_an_edge_to_no_node_is_refused():
    with pytest.raises(KeyError):
        rows_of([("n0", {})], [("n0", "n1", {})])
