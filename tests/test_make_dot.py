"""`inspector.make_dot` and the `torchviz` style against torchviz itself: the same Nodes, edges and labels."""

from __future__ import annotations

import re
import warnings
from collections import Counter

import pytest
import torch
from needs import needs

import inspector
from inspector.api.trace import trace_named
from inspector.figure import draw
from inspector.graph import from_rows, to_rows
from inspector.options import FigureOptions
from inspector.styles.torchviz import torchviz_graph
from inspector.torch_api.saved_tensors import WRAPPERS
from inspector.user_code.variable_names import Names

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports distutils
    import torchviz

_EDGE = re.compile(r'\t"?(\w+)"? -> "?(\w+)"?(?: \[(.*)\])?\n')
_NODE = re.compile(r'\t"?(\w+)"? \[label="?(.*?)"?(?: fillcolor=(\w+))?\]\n', re.DOTALL)


def parsed(dot):
    """Nodes as (label, colour) with how often, and edges between them: ids of the two differ."""
    labels, edges = {}, []
    for line in dot.body:
        if edge := _EDGE.fullmatch(line):
            edges.append(edge.groups())
        elif node := _NODE.fullmatch(line):
            labels[node[1]] = (node[2], node[3])
        else:
            raise AssertionError(line)
    return Counter(labels.values()), Counter((labels[tail], labels[head], style) for tail, head, style in edges)


def theirs(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return parsed(torchviz.make_dot(*arguments, **options))


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * 3 * x**2


def leaf(value):
    return torch.tensor(value, requires_grad=True)


def saddle():
    x, y = leaf(2.0), leaf(0.0)
    z = x**2 - y**2
    return z, {"x": x, "y": y, "z": z}


def layer():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    return model(torch.ones(5, 4)).sum(), dict(model.named_parameters())


def shared():
    x = leaf(3.0)
    return x * x, {"x": x}


def several():
    x = leaf(3.0)
    return (x**2, 3 * x), {"x": x}


def custom():
    x = leaf(3.0)
    return Cube.apply(x) + 1, {"x": x}


def view():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    return (x * 2).view(4), {"x": x}


def leaf_alone():
    x = leaf(1.0)
    return x, {"x": x}


def constant():
    x = torch.tensor([1.0, 2.0])
    return x, {}


SAVED = pytest.param(custom, marks=needs(WRAPPERS))  # the picture of a custom Function shows what it saved
PROGRAMS = [saddle, layer, shared, several, SAVED, view, leaf_alone, constant]


@pytest.mark.parametrize("program", PROGRAMS)
def test_nodes_edges_and_labels_are_torchvizs(program):
    root, params = program()
    for names in (None, params):
        assert parsed(inspector.make_dot(root, params=names)) == theirs(root, params=names)


@needs(WRAPPERS)
@pytest.mark.parametrize("program", [saddle, layer, shared])
def test_attributes_are_set_as_torchviz_sets_them(program):
    root, params = program()
    assert parsed(inspector.make_dot(root, params, show_attrs=True)) == theirs(root, params, show_attrs=True)
    options = {"show_attrs": True, "max_attr_chars": 5}
    assert parsed(inspector.make_dot(root, params, **options)) == theirs(root, params, **options)


@needs(WRAPPERS)
def test_saved_tensors_are_shown_on_request():
    root, params = saddle()
    nodes, edges = parsed(inspector.make_dot(root, params, show_saved=True))
    their_nodes, their_edges = theirs(root, params, show_saved=True)
    assert nodes == their_nodes
    assert edges == their_edges


def test_size_grows_as_torchvizs_does():
    root, params = layer()
    dot = inspector.make_dot(root, params)
    assert dot.graph_attr["size"] == torchviz.make_dot(root, params).graph_attr["size"]
    assert "digraph" in dot.source


def test_it_works_after_backward_where_torchviz_raises():
    root, params = custom()
    before = parsed(inspector.make_dot(root, params))
    root.backward()
    assert parsed(inspector.make_dot(root, params)) == before
    with pytest.raises(RuntimeError):
        theirs(root, params)


def test_a_deep_chain_does_not_recurse():
    x = leaf(1.0)
    y = x
    for _ in range(2_000):
        y = y + 1
    assert len(inspector.make_dot(y).body) == 2 * 2_000 + 5


@pytest.mark.parametrize("program", [saddle, layer, shared, several])
def test_the_style_shows_the_same_also_from_a_saved_file(program):
    root, params = program()
    names = Names()
    for name, tensor in params.items():
        names.add(name, tensor)
    graph = from_rows(to_rows(trace_named(root, names)))
    shown = {key: tensor["name"] for key, tensor in graph.tensors() if tensor["name"]}
    nodes, edges = torchviz_graph(graph, shown)
    their_nodes, their_edges = theirs(root, params=params)
    assert Counter(node.label for node in nodes) == Counter(label for label, _ in their_nodes.elements())
    assert len(edges) == their_edges.total()
    panel = draw(graph, FigureOptions(style="torchviz")).scene.panels[0]
    assert {box.id for box in panel.boxes} >= {node.id for node in nodes}
    assert len([wire for wire in panel.wires if wire.source != "legend"]) == len(edges)
