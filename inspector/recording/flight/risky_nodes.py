"""Find, before backward runs, the Nodes whose derivative is infinite at the values that they saved.

Once backward has made a gradient NaN, the graph is released and the line is lost. But what makes a derivative
infinite is saved: the 0 under a square root, the 0 that something is divided by.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import torch
from msgspec import Struct

from inspector.graph import Graph
from inspector.graph.node_names import op_of
from inspector.graph.row_types import FunctionRow
from inspector.torch_api.modes import unobserved
from inspector.torch_api.saved_tensors import saved_by
from inspector.tracing.roots import gradient_edge
from inspector.tracing.walk import AutogradNode, name_of

MOST_NODES = 5_000
"""Larger graphs are not searched: Python must not touch the Nodes of a deep graph."""
_MOST_RISKY = 16
"""Maximum number of Nodes that are looked at, those nearest to the root first."""
_MOST_ALARMS = 3
"""A Node is not looked at any more after so many alarms without a gradient that is not finite."""

_Test = Callable[[torch.Tensor], torch.Tensor]


def _is(value: float) -> _Test:
    return lambda tensor: tensor == value


def _is_infinite(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.isinf()


def _is_one(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.abs() == 1


def _is_end(tensor: torch.Tensor) -> torch.Tensor:
    return (tensor == 0) | (tensor == 1)


_RISKS: dict[str, tuple[str, _Test]] = {
    "acos": ("self", _is_one),
    "acosh": ("self", _is_one),
    "asin": ("self", _is_one),
    "atan2": ("self", _is(0.0)),
    "atanh": ("self", _is_one),
    "div": ("other", _is(0.0)),
    "exp": ("result", _is_infinite),
    "log": ("self", _is(0.0)),
    "log10": ("self", _is(0.0)),
    "log1p": ("self", _is(-1.0)),
    "log2": ("self", _is(0.0)),
    "logit": ("self", _is_end),
    "pow.Tensor_Scalar": ("self", _is(0.0)),
    "pow.Tensor_Tensor": ("self", _is(0.0)),
    "reciprocal": ("result", _is_infinite),
    "rsqrt": ("result", _is_infinite),
    "sqrt": ("result", _is(0.0)),
    "xlogy": ("other", _is(0.0)),
}
"""By op: a saved tensor, and the elements of it at which a derivative is infinite."""


class _Risky(Struct):
    """A Node of every graph. root: the position of its root. path: the slots that lead to it from there."""

    root: int
    path: tuple[int, ...]
    name: str
    saved: str
    test: _Test
    alarms: int = 0


class RiskyNodes:
    """The Nodes to look at. graphs: of recorded calls; the same Nodes are expected in the calls that follow."""

    def __init__(self, graphs: Iterable[Graph]) -> None:
        found: dict[tuple[int, tuple[int, ...], str], _Risky] = {}
        finite = set()
        for risky, is_finite in (pair for graph in graphs for pair in _risky(graph)):
            key = risky.root, risky.path, risky.name
            if is_finite:
                finite.add(key)
            elif is_finite is False or key not in finite:
                found.setdefault(key, risky)
        self._nodes = list(found.values())[:_MOST_RISKY]
        self._alarmed: list[_Risky] = []

    @property
    def are_any(self) -> bool:
        """Whether there are Nodes to look at."""
        return bool(self._nodes)

    def find(self, outputs: Iterable[Any]) -> bool:
        """Whether a Node under these roots has an infinite derivative; those on a device are not read."""
        roots = [edge[0] for output in outputs if (edge := gradient_edge(output)) is not None]
        with unobserved():
            self._alarmed = [risky for risky in self._nodes if _is_at_risk(risky, roots)]
        return bool(self._alarmed)

    def was_false(self) -> None:
        """All gradients of the call were finite."""
        for risky in self._alarmed:
            risky.alarms += 1
        self._nodes = [risky for risky in self._nodes if risky.alarms < _MOST_ALARMS]


def _risky(graph: Graph) -> Iterable[tuple[_Risky, bool | None]]:
    """The Nodes of a graph whose derivative can be infinite, nearest to a root first, and `_is_finite_at_zero`
    of each."""
    functions = dict(graph.functions())
    if len(functions) > MOST_NODES:
        return
    slots: dict[str, list[tuple[int, str]]] = {}
    for source, target, edge in graph.edges("next"):
        slots.setdefault(source, []).append((edge["slot"], target))
    waiting: deque[tuple[int, tuple[int, ...], str]] = deque()
    for number, root in enumerate(graph.roots):
        node = graph[root].get("grad_fn")
        if isinstance(node, str) and node in functions:
            waiting.append((number, (), node))
    seen = set()
    while waiting:
        number, path, node = waiting.popleft()
        if node in seen:
            continue
        seen.add(node)
        row = functions[node]
        risk = _RISKS.get(op_of(row["name"]))
        if risk is not None:
            yield _Risky(number, path, row["name"], *risk), _is_finite_at_zero(row)
        waiting += [(number, (*path, slot), target) for slot, target in sorted(slots.get(node, ()))]


def _is_finite_at_zero(row: FunctionRow) -> bool | None:
    """Whether this is a power whose derivative is finite at 0; None if its exponent is unknown, as in a light
    recording."""
    if op_of(row["name"]) != "pow.Tensor_Scalar":
        return False
    exponent = row["attributes"].get("exponent")
    if not isinstance(exponent, (int, float)):
        return None
    return exponent >= 1 or exponent == 0 or math.isnan(exponent)


def _is_at_risk(risky: _Risky, roots: list[AutogradNode]) -> bool:
    node = roots[risky.root] if risky.root < len(roots) else None
    for slot in risky.path:
        edges = () if node is None else node.next_functions
        if slot >= len(edges):
            return False
        node = edges[slot][0]
    if node is None or name_of(node) != risky.name:
        return False
    for saved in saved_by(node):
        tensor = saved.tensor
        if saved.name == risky.saved and tensor is not None and tensor.is_cpu and tensor.layout is torch.strided:
            return bool(risky.test(tensor.detach()).any())
    return False
