"""The keeper of deep graphs: it holds Nodes until nobody else does, and lets them go root first."""

import gc
import weakref

import pytest
import torch
from needs import frees_recursively

from inspector.recording import deep_graph_keepalive as module
from inspector.recording.deep_graph_keepalive import DEEP_GRAPHS, DeepGraphKeepalive, leaf_first, reap
from inspector.tracing.roots import gradient_edge
from inspector.tracing.walk import EMPTY, walk


@pytest.fixture
def shallow(monkeypatch):
    """Graphs of ten Nodes count as deep."""
    monkeypatch.setattr(module, "DEPTH", 10)


def chain(length, start=None):
    x = torch.tensor(1.0, requires_grad=True) if start is None else start
    for _ in range(length):
        x = x * 1.0
    return x


def walk_of(tensor):
    return walk([gradient_edge(tensor)])


def pause():
    """Let the interpreter do what waits to be done between two statements."""
    for _ in range(10):
        ""


def test_the_order_is_leaf_first():
    x = torch.tensor(1.0, requires_grad=True)
    a = x.sin()
    z = (a * x + a.cos()) * a
    walked = walk_of(z)
    order, depth = leaf_first(walked)
    assert sorted(order) == list(range(len(walked.nodes)))
    place = {position: k for k, position in enumerate(order)}
    for source, _, target, _ in walked.structure.edges():
        assert target == EMPTY or place[target] < place[source]
    assert depth == 5  # Mul, Add, Cos, Sin, AccumulateGrad


def test_the_depth_is_that_of_the_longest_chain():
    wide = torch.stack([torch.ones((), requires_grad=True) * 1.0 for _ in range(50)]).sum()
    assert leaf_first(walk_of(wide))[1] == 4
    assert leaf_first(walk_of(chain(50)))[1] == 51


@frees_recursively
def test_reap_keeps_what_others_own():
    middle = chain(5)
    root = chain(5, middle)
    walked = walk_of(root)
    order, _ = leaf_first(walked)
    nodes = [walked.nodes[position] for position in order]
    del walked
    assert reap(nodes) is nodes and len(nodes) == 11
    del root
    nodes = reap(nodes)
    assert len(nodes) == 6 and nodes[-1] is middle.grad_fn
    del middle
    assert reap(nodes) == []


def test_shallow_graphs_are_not_kept():
    z = chain(100)
    DEEP_GRAPHS.keep(walk_of(z), [z])
    assert len(DEEP_GRAPHS) == 0


def test_it_empties_itself_when_the_root_is_dropped(shallow):
    keeper = DeepGraphKeepalive()
    z = chain(20)
    keeper.keep(walk_of(z), [z])
    assert len(keeper) == 21
    del z
    pause()
    assert len(keeper) == 0


def test_it_empties_itself_when_the_root_is_bound_anew(shallow):
    keeper = DeepGraphKeepalive()
    for _ in range(5):
        z = chain(20)
        keeper.keep(walk_of(z), [z])
        assert len(keeper) == 21
    z = None
    pause()
    assert len(keeper) == 0 and z is None


@frees_recursively
def test_it_empties_itself_where_a_tensor_within_was_the_last(shallow):
    keeper = DeepGraphKeepalive()
    middle = chain(20)
    root = chain(20, middle)
    keeper.keep(walk_of(root), [root])
    del root
    pause()
    assert len(keeper) == 21
    del middle
    gc.collect()
    assert len(keeper) == 0


def test_what_is_saved_in_the_graph_goes_with_it(shallow):
    class Held(torch.Tensor):
        pass

    keeper = DeepGraphKeepalive()
    constant = torch.tensor(3.0).as_subclass(Held)
    gone = weakref.ref(constant)
    z = chain(20) * constant
    del constant
    keeper.keep(walk_of(z), [z])
    assert gone() is not None
    del z
    pause()
    assert gone() is None


def test_two_walks_of_one_graph_hold_each_node_once(shallow):
    keeper = DeepGraphKeepalive()
    middle = chain(20)
    root = chain(20, middle)
    keeper.keep(walk_of(middle), [middle])
    keeper.keep(walk_of(root), [root])
    assert len(keeper) == 41
    keeper.keep(walk_of(root), [root])
    assert len(keeper) == 41
    del middle, root
    keeper.release()
    assert len(keeper) == 0


def test_its_callback_comes_off_with_the_last_graph(shallow):
    keeper = DeepGraphKeepalive()
    before = list(gc.callbacks)
    z = chain(20)
    keeper.keep(walk_of(z), [z])
    assert len(gc.callbacks) == len(before) + 1
    del z
    keeper.release()
    assert gc.callbacks == before
