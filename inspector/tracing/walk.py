"""Walk `next_functions` with an explicit stack: no recursion, each Node once, in pre-order."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, TypeAlias

import numpy
from msgspec import Struct

from inspector.graph.traversal import topological_order
from inspector.torch_api.nodes import sequence_numbers
from inspector.util.gc_pause import gc_paused

AutogradNode: TypeAlias = Any
"""Any object with `next_functions`. Built-in Nodes have no common Python base, and
`isinstance(n, torch.autograd.graph.Node)` is False for those of C++ extensions."""

EMPTY = -1
"""Target of an empty slot, `(None, 0)`: an input that does not require a gradient."""

_NO_EDGES = b""

_SHARED_TYPE = "CppFunction"
"""The type of all functions of C++ extensions; every other class of Nodes has its own type."""


class Structure(Struct, dict=True):
    """The Nodes under some roots and the edges between them, as dense columns of plain values.

    names: of each Node, in pre-order over the roots and their next_functions by slot; the k-th becomes `n{k}`.
    sequence_nrs: of each Node. starts, targets, input_nrs: the edges of Node k lie from starts[k] to
    starts[k + 1], by slot; `EMPTY` is the target of an empty slot.
    roots: (position of the Node, output number) of each root.
    """

    names: list[str]
    sequence_nrs: array[int]
    starts: array[int]
    targets: array[int]
    input_nrs: array[int]
    roots: list[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def order(self) -> array[int]:
        """The Nodes in topological order, starting at the roots."""
        return topological_order(self.starts, self.targets)

    def edges(self) -> Iterator[tuple[int, int, int, int]]:
        """(source, slot, target, input_nr) of every edge, in walk order."""
        starts, targets, input_nrs = self.starts, self.targets, self.input_nrs
        for source in range(len(self.names)):
            start = starts[source]
            for edge in range(start, starts[source + 1]):
                yield source, edge - start, targets[edge], input_nrs[edge]

    def edges_of(self, source: int) -> Iterator[tuple[int, int, int]]:
        """(slot, target, input_nr) of the edges of one Node."""
        start = self.starts[source]
        for edge in range(start, self.starts[source + 1]):
            yield edge - start, self.targets[edge], self.input_nrs[edge]

    def targets_of(self, source: int) -> array[int]:
        """The targets of the edges of one Node, by slot."""
        return self.targets[self.starts[source] : self.starts[source + 1]]

    def empty_slots(self) -> dict[int, list[int]]:
        """The empty slots of each Node that has some."""
        found: dict[int, list[int]] = {}
        for edge in numpy.flatnonzero(numpy.frombuffer(self.targets or _NO_EDGES, numpy.int32) == EMPTY).tolist():
            source = bisect_right(self.starts, edge) - 1
            found.setdefault(source, []).append(edge - self.starts[source])
        return found


class Walk(Struct):
    """The result of a walk. It holds Nodes, so it keeps the graph alive; it must not outlive the backward call.

    nodes: in walk order. index: the position of each Node in `nodes`.
    """

    nodes: list[AutogradNode]
    index: dict[AutogradNode, int]
    structure: Structure

    @property
    def roots(self) -> list[tuple[int, int]]:
        """(position of the Node, output number) of each root."""
        return self.structure.roots


def walk(roots: Iterable[tuple[AutogradNode, int]]) -> Walk:
    """Walk from `roots`, pairs of a Node and one of its output numbers."""
    with gc_paused():
        return _walk(list(roots))


def _walk(roots: list[tuple[AutogradNode, int]]) -> Walk:
    """The loop, optimised for speed."""
    index: dict[AutogradNode, int] = {None: EMPTY}  # so that empty slots count as visited
    ends: list[Any] = []  # target, input_nr, target, input_nr, …
    starts = array("i", [0])
    stack = [node for node, _ in reversed(roots)]
    position = 0
    while stack:
        node = stack.pop()
        if node in index:
            continue
        index[node] = position
        position += 1
        edges = node.next_functions  # built anew at each access: read once
        for edge in edges:
            ends += edge
        starts.append(len(ends) >> 1)
        for edge in reversed(edges):
            stack.append(edge[0])
    targets = array("i", map(index.__getitem__, ends[::2]))
    input_nrs = array("i", ends[1::2])
    del index[None]
    nodes = list(index)
    sequence_nrs = sequence_numbers(nodes)
    found = [(index[node], output_nr) for node, output_nr in roots]
    return Walk(nodes, index, Structure(_names(nodes), sequence_nrs, starts, targets, input_nrs, found))


def name_of(node: AutogradNode) -> str:
    """`PowBackward0`, `AccumulateGrad`; `CppNode<MyFn>` for a function written in C++."""
    name: str = type(node).name(node)  # a custom Function may have set `ctx.name`
    # Of `torch::autograd::CppNode<ns::MyFn>` the namespace before the first bracket is dropped.
    head, bracket, rest = name.partition("<")
    return head.rsplit("::", 1)[-1] + bracket + rest


def _names(nodes: list[AutogradNode]) -> list[str]:
    """The name of every Node. Nodes of one type have the same name, except functions of C++ extensions."""
    kinds = dict(zip(map(type, nodes), nodes, strict=True))
    names = {kind: name_of(node) for kind, node in kinds.items()}
    if any(kind.__name__ == _SHARED_TYPE for kind in kinds):
        return [name_of(node) if type(node).__name__ == _SHARED_TYPE else names[type(node)] for node in nodes]
    return [names[type(node)] for node in nodes]
