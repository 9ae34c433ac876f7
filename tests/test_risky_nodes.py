"""Which Nodes the recorder looks at before backward runs: those whose derivative can be infinite."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import inspector
from inspector.graph import Graph
from inspector.recording.flight.risky_nodes import RiskyNodes

Function = Callable[[torch.Tensor], torch.Tensor]


def traced(function: Function, *, light: bool = False) -> Graph:
    """The graph of a sum. light: as in a light recording, which has no attributes of Nodes."""
    graph = inspector.trace(function(torch.rand(3, requires_grad=True)).sum())
    if light:
        for _, row in graph.functions():
            row["attributes"] = {}
    return graph


@pytest.mark.parametrize(
    ("calls", "is_risky"),
    [
        ([(lambda x: x**3, False)], False),
        ([(lambda x: x**3, False), (lambda x: x**3, True), (lambda x: x**3, True)], False),
        ([(lambda x: x**0.5, False), (lambda x: x**0.5, True)], True),
        ([(lambda x: x**3, True)], True),  # nothing is known of its exponent
        ([(lambda x: x**2, False), (lambda x: x**0.5, False)], True),  # it changes from call to call
        ([(lambda x: x**2, False), (lambda x: x.sqrt(), True)], True),
        ([(lambda x: x.exp().mul(2), False), (lambda x: x.sin(), True)], True),
        ([(lambda x: x.sin(), False)], False),
    ],
)
def test_a_power_is_looked_at_unless_its_exponent_is_known_and_at_least_1(
    calls: list[tuple[Function, bool]], is_risky: bool
) -> None:
    graphs = [traced(function, light=light) for function, light in calls]
    assert RiskyNodes(graphs).are_any is is_risky


@pytest.mark.parametrize(("at", "found"), [(0.0, True), (2.0, False)])
def test_it_finds_the_zero_under_a_root(at: float, found: bool) -> None:
    function: Function = lambda x: x**0.5 + x**3  # noqa: E731
    nodes = RiskyNodes([traced(function), traced(function, light=True)])
    assert nodes.find([function(torch.tensor([1.0, at, 3.0], requires_grad=True)).sum()]) is found
