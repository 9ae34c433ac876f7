"""The same Nodes and edges as torchviz draws, and as torch's engine runs."""

from __future__ import annotations

import gc
import os
import re
import warnings
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from programs import Program, programs
from running import GALLERY

import inspector
from inspector.tracing.roots import gradient_edge

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports distutils
    from torchviz import make_dot

_EDGE = re.compile(r"\t(\d+) -> (\d+)( \[.*\])?\n")
_NODE = re.compile(r'\t(\d+) \[label="?(.*?)"?( fillcolor=\w+)?\]\n', re.DOTALL)


def torchviz_graph(roots):
    """Functions (id -> class name) and the edges between them, as `id of the target -> id of the source`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        dot = make_dot(tuple(roots))
    functions, edges = {}, Counter()
    for line in dot.body:
        edge, node = _EDGE.fullmatch(line), _NODE.fullmatch(line)
        assert edge or node, line
        if node and not node[3]:  # a tensor has a colour
            functions[int(node[1])] = node[2]
        if edge:
            edges[int(edge[2]), int(edge[1])] += 1
    return functions, Counter({pair: n for pair, n in edges.items() if functions.keys() >= set(pair)})


def our_graph(graph, roots):
    """The same of ours: each Node is found from the roots by the slots of our edges."""
    nodes = nodes_by_id(graph, roots)
    functions = {id(node): graph[key]["name"] for key, node in nodes.items()}
    edges = Counter((id(nodes[source]), id(nodes[target])) for source, target, _ in graph.edges("next"))
    return functions, edges


def nodes_by_id(graph, roots):
    """`n3` -> the Node of torch, by walking both graphs side by side; slots, targets and inputs must match."""
    edges = {(source, edge["slot"]): (target, edge["input_nr"]) for source, target, edge in graph.edges("next")}
    found, waiting = {}, []
    for root, key in zip(roots, graph.roots, strict=True):
        node, output_nr = gradient_edge(root)
        function = graph[key]["grad_fn"]
        if function is None:
            (function,) = [source for source, target, _ in graph.edges("accumulate") if target == key]
        assert graph[key].get("output_nr", 0) == output_nr
        waiting.append((function, node))
    while waiting:
        key, node = waiting.pop()
        if key in found:
            assert found[key] is node
            continue
        found[key] = node
        empty = [slot for slot, (target, _) in enumerate(node.next_functions) if target is None]
        assert graph[key]["empty_slots"] == empty
        for slot, (target, input_nr) in enumerate(node.next_functions):
            if target is not None:
                ours, ours_nr = edges.pop((key, slot))
                assert ours_nr == input_nr
                waiting.append((ours, target))
    assert not edges, "edges that torch does not have"
    assert found.keys() == {key for key, _ in graph.functions()}
    assert len({id(node) for node in found.values()}) == len(found)
    return found


def check_against_torchviz(roots):
    """Before backward: afterwards torchviz raises on custom Functions."""
    graph = inspector.trace(roots)
    ours, theirs = our_graph(graph, roots), torchviz_graph(roots)
    assert ours == theirs
    return graph


def check_against_the_engine(graph, roots):
    """All leaves wanted: every Node runs, no other; in the order that the engine planned."""
    nodes = nodes_by_id(graph, roots)
    fired, planned = [], []

    def hook(key):
        def fire(*_):
            fired.append(key)
            if not planned:
                planned.extend(torch._C._current_graph_task_execution_order())

        return fire

    handles = [node.register_prehook(hook(key)) for key, node in nodes.items()]
    try:
        with torch.autograd.set_multithreading_enabled(False):
            torch.autograd.backward(roots, [torch.ones_like(root) for root in roots])
    finally:
        for handle in handles:
            handle.remove()
    assert Counter(fired) == Counter(nodes.keys())
    assert {id(node) for node in planned} == {id(node) for node in nodes.values()}
    assert [nodes[key] for key in fired] == planned


@settings(max_examples=80)
@given(programs())
def test_random_programs(program: Program):
    roots = program.run()
    graph = check_against_torchviz(roots)
    check_against_the_engine(graph, roots)
    again = inspector.trace(roots)  # the structure is there after backward, too
    assert nodes_by_id(again, roots) == nodes_by_id(graph, roots)


@settings(max_examples=40)
@given(programs())
def test_what_a_recording_sees_of_random_programs(program: Program):
    """Steps, gradients of leaves and `grad` are those of the same program without us."""
    expected = program.run()
    torch.autograd.backward(expected, [torch.ones_like(root) for root in expected])
    wanted = [leaf.grad for leaf in program.leaves]
    with inspector.record() as recording:
        roots = program.run()
        torch.autograd.backward(roots, [torch.ones_like(root) for root in roots])
    assert recording.failure is None
    for mine, theirs in zip(program.leaves, wanted, strict=True):
        assert (mine.grad is None and theirs is None) or torch.equal(mine.grad, theirs)
    (call,) = recording.calls
    assert sorted(call.graph.steps) == sorted(key for key, _ in call.graph.functions())
    nodes_by_id(call.graph, roots)
    for source, target, edge in call.graph.edges("accumulate"):
        assert edge["gradient"] == call.graph[target]["gradient"] == call.graph[source]["gradient"]
        assert edge["gradient"] == call.graph[target]["after"]["grad"], "from zero, what arrives is the grad"


@pytest.mark.parametrize("script", sorted(GALLERY.glob("*.py")), ids=lambda path: path.stem)
def test_gallery(script):
    """The last graph of each script, as it was just before its backward ran."""
    code = script.read_text()
    if "transformers" in code and not os.environ.get("CI"):
        pytest.importorskip("transformers")
    variables: dict = {}
    backward = next(line.strip() for line in code.splitlines() if ".backward()" in line)
    root_name = backward.removesuffix(".backward()")
    exec(code.replace(backward, "pass").replace("optimizer.step()", "pass"), variables)
    root = variables[root_name]
    graph = check_against_torchviz([root])
    check_against_the_engine(graph, [root])


def test_parallel_edges_and_empty_slots():
    x = torch.tensor(2.0, requires_grad=True)
    z = x * x + 1
    graph = check_against_torchviz([z])
    (product,) = [key for key, row in graph.functions() if row["name"] == "MulBackward0"]
    (leaf,) = [key for key, row in graph.functions() if row["name"] == "AccumulateGrad"]
    assert graph.network.number_of_edges(product, leaf) == 2
    assert sorted(edge["slot"] for _, _, edge in graph.edges("next") if edge["slot"]) == [1]


def test_ids_are_in_the_order_of_the_walk_and_the_same_each_time():
    def build():
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        a, b = x.unbind()
        return a.sin() * b + a

    first, second = inspector.trace(build()), inspector.trace(build())
    assert list(first.network.nodes) == list(second.network.nodes)
    functions = [key for key, _ in first.functions()]
    assert functions == [f"n{k}" for k in range(len(functions))]
    assert functions[0] == first[first.roots[0]]["grad_fn"]


def test_no_node_survives_these_tests():
    gc.collect()
    from inspector.recording.deep_graph_keepalive import DEEP_GRAPHS

    assert len(DEEP_GRAPHS) == 0
