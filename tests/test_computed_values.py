"""Values in the graph of a derivative: torch's own where a hook saw them, else computed from the operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from sweep import Oracle, nodes_under

import inspector
from inspector.derivatives.computed_values import add_computed_values
from inspector.derivatives.forward_reconstruction import ForwardReconstruction
from inspector.graph import Graph, is_unknown

A = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "cube": lambda x: (x**3).sum(),
    "logistic": lambda x: -torch.log(torch.sigmoid(2 * x)).sum(),
    "quotient": lambda x: (torch.sin(x) / x + torch.sqrt(x / 3)).sum(),
    "quadratic form": lambda x: 0.5 * x @ A @ x,
    "norm": lambda x: x.norm(),
    "penalty": lambda x: ((torch.tanh(A @ x).sum() - 1) ** 2) * x.exp().mean(),
}


def derivative(function: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    x = torch.tensor([2.0, 0.5], requires_grad=True)
    (slope,) = torch.autograd.grad(function(x), x, create_graph=True)
    return slope.sum()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_inside_of_a_derivative_are_torchs(name: str) -> None:
    oracle = Oracle()
    with oracle:
        nodes = nodes_under(derivative(FUNCTIONS[name]))
    with inspector.record() as recording:
        derivative(FUNCTIONS[name]).backward()
    graph = recording.calls[-1].graph
    rows = [row for _, row in graph.functions()]
    assert [row["name"] for row in rows] == [node.name().removeprefix("torch::autograd::") for node in nodes]
    checked = 0
    for row, node in zip(rows, nodes, strict=True):
        shown, results = _shown(row), oracle.results(node)
        assert row["is_leaf"] or shown is not None, f"{row['name']} has no value"
        if results is not None and len(results) == 1:
            assert torch.tensor(shown).allclose(results[0], rtol=1e-5), row["name"]
            checked += 1
    assert checked >= 3


def _shown(row: Any) -> Any:
    data = row["before"]["data"]
    return row.get("computed") if is_unknown(data) else data


def recorded(function: Callable[[torch.Tensor], torch.Tensor]) -> Graph:
    with inspector.record() as recording:
        x = torch.tensor(2.0, requires_grad=True)
        (slope,) = torch.autograd.grad(function(x), x, create_graph=True)
        slope.backward()
    graph: Graph = recording.calls[-1].graph
    return graph


def test_a_value_from_which_torch_computed_something_else_is_not_shown() -> None:
    graph = recorded(lambda x: x**3)
    (key,) = [key for key, row in graph.functions() if row["name"] == "PowBackward0"]
    assert graph.function(key)["computed"] == 4
    for _, row in graph.functions():
        row.pop("computed", None)
    root = graph.function(graph.tensor(graph.roots[0])["grad_fn"] or "")
    root["before"] = {**root["before"], "data": 13.0}  # of 3x², which is 12
    graph.tensor(graph.roots[0])["before"]["data"] = 13.0
    add_computed_values(ForwardReconstruction(graph))
    assert not any("computed" in row for _, row in graph.functions())


def test_what_was_recorded_is_not_computed() -> None:
    graph = recorded(lambda x: torch.sin(x) * torch.exp(x / 3))
    assert not any("computed" in row or is_unknown(row["before"]["data"]) for _, row in graph.functions())


def test_gradients_of_a_derivative_are_those_without_the_inspector() -> None:
    def run() -> list[torch.Tensor]:
        x = torch.tensor([2.0, 0.5], requires_grad=True)
        (slope,) = torch.autograd.grad((x**3).sum() * x.exp().sum(), x, create_graph=True)
        slope.norm().backward()
        assert x.grad is not None
        return [slope.detach(), x.grad]

    plain = run()
    with inspector.record():
        watched = run()
    assert all(torch.equal(one, other) for one, other in zip(plain, watched, strict=True))
