"""What the modules style draws is the same from the columns of a traced graph and from its rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

import inspector
from inspector.derivatives import edge_derivatives
from inspector.graph import Graph
from inspector.options import FigureOptions
from inspector.styles.modules import plan_modules
from inspector.styles.subject import Subject
from inspector.tracing import build_graph


def square() -> Tensor:
    x = torch.tensor(3.0, requires_grad=True)
    return x * x


def several_edges_to_one_node() -> Tensor:
    x = torch.ones(3, requires_grad=True)
    h = x.exp()
    return torch.stack([h, x.sin(), h, x, h]).sum()


def shared_and_named_leaves() -> Tensor:
    model = torch.nn.Sequential(*[torch.nn.Linear(4, 4) for _ in range(3)])
    return (model(torch.ones(2, 4)) @ model[0].weight).sum()


def several_outputs() -> Tensor:
    values, _ = torch.rand(4, 3, requires_grad=True).sort()
    first, second = values.split(2)
    return (first * second).sum()


def second_derivative() -> Tensor:
    x = torch.tensor(2.0, requires_grad=True)
    return torch.autograd.grad((x**3).sin(), x, create_graph=True)[0] ** 2


def reentrant_checkpoint() -> Tensor:
    x = torch.ones(3, requires_grad=True)
    result: Tensor = checkpoint(lambda value: value.sin().exp(), x, use_reentrant=True)
    return result.sum()


MAKERS = (
    square,
    several_edges_to_one_node,
    shared_and_named_leaves,
    several_outputs,
    second_derivative,
    reentrant_checkpoint,
)


@pytest.fixture(autouse=True)
def as_of_large_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows of a small graph are made at once, also for its derivatives."""
    monkeypatch.setattr(edge_derivatives, "MOST_EDGES", -1)
    monkeypatch.setattr(build_graph, "MOST_NODES", -1)


def assert_same_from_columns(graph: Graph) -> None:
    moments = ("before", "after") if graph.ran else ("before",)
    subjects = [Subject(graph, moment, look=FigureOptions(style="modules")) for moment in moments]
    assert graph.source is not None
    before = plan_modules(subjects[0])
    assert graph.source is not None, "the plan has made all rows"
    columns = [before, *map(plan_modules, subjects[1:])]
    graph.make()
    assert columns == list(map(plan_modules, subjects))


@pytest.mark.parametrize("make", MAKERS)
def test_a_traced_graph_needs_no_rows(make: Callable[[], Tensor]) -> None:
    torch.manual_seed(0)
    assert_same_from_columns(inspector.trace(make()))


@pytest.mark.parametrize("make", MAKERS)
def test_a_recorded_graph_is_the_same(make: Callable[[], Tensor]) -> None:
    torch.manual_seed(0)
    with inspector.record() as recording:
        make().backward()
    assert_same_from_columns(recording.calls[-1].graph)


def test_a_root_that_is_a_leaf_is_a_box() -> None:
    x = torch.ones(2, requires_grad=True)
    graph = inspector.trace([x, x.sum()])
    assert_same_from_columns(graph)
    assert len(plan_modules(Subject(graph, "before", look=FigureOptions(style="modules"))).boxes) > 1


def test_unfolded_pictures_make_no_rows() -> None:
    torch.manual_seed(0)
    graph = inspector.trace(shared_and_named_leaves())
    inspector.draw(graph, style="modules", depth="full").svg()
    assert graph.source is not None
