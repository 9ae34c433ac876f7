"""v1, v2, … in formulas: each stands for one tensor, so that every formula gives its number."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from expressions import expressions
from hypothesis import given, settings

import inspector
from inspector.derivatives import total_derivatives
from inspector.derivatives.numeric_functions import CONSTANTS, NUMERIC
from inspector.graph import Graph
from inspector.terminal.derivation_text import derivation_lines
from inspector.terminal.total_derivatives import total_lines

_ABBREVIATION = re.compile(r"(?<![\w.])v\d+(?!\w)")


def evaluated(graph: Graph, text: str, at: dict[str, float]) -> float:
    """A formula at the values of the script's names, with the abbreviations replaced by what they stand for."""
    aliases = [(key, row["alias"]) for key, row in graph.functions() if "alias" in row]
    meaning = {alias["name"]: (key, alias["expression"]) for key, alias in aliases}
    known = dict(at)
    for name in sorted(set(_ABBREVIATION.findall(text)) - known.keys(), key=lambda name: int(name[1:])):
        function, expression = meaning[name]
        data: Any = graph.function(function)["before"]["data"]
        known[name] = data if expression is None else evaluated(graph, expression, at)
    functions = NUMERIC | CONSTANTS | {"sqrt": math.sqrt}
    return float(eval(text, {"__builtins__": {}}, functions | known))


def check(graph: Graph, *, least: int = 0) -> None:
    """Every total derivative equals its number and torch's gradient."""
    at: Any = {row["name"]: row["before"]["data"] for _, row in graph.tensors() if row["name"]}
    found = total_derivatives(graph)
    assert len(found) >= least
    names = [row["alias"]["name"] for _, row in graph.functions() if "alias" in row]
    assert len(set(names)) == len(names)
    for leaf, derivative in found.items():
        value = evaluated(graph, derivative["symbol"] or "", at)
        assert value == pytest.approx(derivative["value"], rel=1e-5, abs=1e-6), derivative
        assert value == pytest.approx(graph.tensor(leaf)["gradient"], rel=1e-5, abs=1e-6), derivative


def graph_of(program: Callable[[], torch.Tensor]) -> Graph:
    with inspector.record() as recording:
        program().backward()
    assert recording.failure is None
    return recording.calls[0].graph


def scalar(number: float) -> torch.Tensor:
    return torch.tensor(number, dtype=torch.float64, requires_grad=True)


def test_an_abbreviation_of_an_edge_and_another_of_a_total() -> None:
    x, y, z = scalar(3.0), scalar(-0.6), scalar(1.0)
    check(graph_of(lambda: (F.gelu(z) - (x - y)) * (1 - (z + x))), least=3)


def test_the_square_of_something_long() -> None:
    y, z = scalar(0.5), scalar(0.3)
    check(graph_of(lambda: (F.gelu(y) - z + 1) ** 2), least=2)


def test_a_function_that_is_not_in_the_tables() -> None:
    x, y = scalar(2.0), scalar(5.0)
    check(graph_of(lambda: torch.kron(x, y)), least=2)


def test_names_of_the_script_that_look_like_abbreviations() -> None:
    v1, v2 = scalar(0.7), scalar(1.3)

    def program() -> torch.Tensor:
        v3 = F.gelu(v1) - v2 + 1
        return (F.gelu(v3 * v2) - v1 + v2) ** 2 * (F.gelu(v2) - v1 * v2)

    check(graph_of(program))


def test_an_abbreviation_within_another() -> None:
    x, y = scalar(0.4), scalar(0.9)

    def program() -> torch.Tensor:
        return ((F.gelu(x) * F.gelu(y) + x - y) ** 2 + F.gelu(x * y)) * (F.gelu(y) - x)

    check(graph_of(program))


def test_a_shared_part_in_two_totals() -> None:
    x, y, z = scalar(0.4), scalar(0.9), scalar(1.7)

    def program() -> torch.Tensor:
        part = F.gelu(x) + F.gelu(y) - 2 * z
        return part**2 * (z + y) - part * x

    check(graph_of(program), least=2)


@settings(max_examples=60)
@given(expressions())
def test_random_formulas(expression: Callable[[list[torch.Tensor]], torch.Tensor]) -> None:
    a, b, c, d = (scalar(number) for number in (0.7, 1.3, -0.4, 2.1))
    root = expression([a, b, c, d])
    if not root.requires_grad or root.shape or not torch.isfinite(root):
        return
    with inspector.record() as recording:
        z = expression([a, b, c, d])
        z.backward()
    if all(leaf.grad is None or bool(torch.isfinite(leaf.grad)) for leaf in (a, b, c, d)):
        check(recording.calls[0].graph)
    for leaf in (a, b, c, d):
        leaf.grad = None


@pytest.mark.parametrize("width", [60, 80, 100, 130, 200])
def test_the_terminal_explains_what_it_shows_and_nothing_else(width: int) -> None:
    """In a narrow terminal the products are left out, and with them their abbreviations."""
    x, y, z = scalar(0.7), scalar(-1.3), scalar(2.1)

    def program() -> torch.Tensor:
        h = F.gelu(x * y)
        g = F.silu(h + z) * h
        return g * F.gelu(z) + F.mish(g) / (h * h + 1)

    graph = graph_of(program)
    derivation = derivation_lines(graph, width)
    totals = total_lines(graph, width, derivation)
    before, _, after = "\n".join(line.plain for line in (*derivation, *totals)).partition("\nwhere  ")
    explained = set(re.findall(r"(v\d+) = ", after))
    used = set(re.findall(r"(?<![A-Za-z.])v\d+", f"{before} {after}"))
    assert used == explained and (explained or width < 200)
