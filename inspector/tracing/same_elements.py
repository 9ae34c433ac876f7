"""Infer the value of a tensor from a measured one with the same elements.

That is its view, what it is a view of, or its first power, which the graph of a derivative has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy

from inspector.graph.elements import elements_of, with_elements
from inspector.graph.node_kinds import NodeKind, is_kind
from inspector.graph.node_names import op_of
from inspector.graph.values import Value, is_summary
from inspector.tracing.traced_graph import Pair, TracedGraph
from inspector.tracing.walk import EMPTY

_SAME_PLACES = ("alias", "clone", "expand", "lift_fresh")
"""Operations that keep elements in their places, apart from those that reshape and first powers."""


class _Step(NamedTuple):
    """From one tensor to another with the same elements. view: the position of the function between them.
    to_view: whether the step leads to its output."""

    view: int
    to_view: bool


class SameElements:
    """Finds values of tensors in a traced graph, whose Nodes were read.

    measured: returns the value of a tensor, or None.
    """

    def __init__(self, record: TracedGraph, measured: Callable[[Pair], Value]) -> None:
        self._record, self._measured = record, measured
        self._found: dict[Pair, Value] = {}

    def value(self, pair: Pair) -> Value:
        """The value of a tensor that was not measured; None if there is no measured one with the same elements."""
        if pair not in self._steps:
            return None
        if pair not in self._found:
            self._found[pair] = self._search(pair)
        return self._found[pair]

    @cached_property
    def _steps(self) -> dict[Pair, list[tuple[_Step, Pair]]]:
        """The steps between two tensors, by the tensor at their end."""
        found: dict[Pair, list[tuple[_Step, Pair]]] = {}
        structure = self._record.structure
        if self._record.is_structure_only:
            return found
        may_keep = {name: self._may_keep_elements(name) for name in set(structure.names)}
        for position, name in enumerate(structure.names):
            keeps = may_keep[name] and (not _is_power(name) or self._is_first_power(position))
            for _, target, input_nr in structure.edges_of(position) if keeps else ():
                if target == EMPTY or not self._keeps_elements(position, (target, input_nr)):
                    continue
                view, base = (position, 0), (target, input_nr)
                found.setdefault(base, []).append((_Step(position, to_view=False), view))
                # A copy is not changed by later writes to the base; that of a power, which saved it, has none.
                if is_kind(name, NodeKind.VIEW) or _is_power(name):
                    found.setdefault(view, []).append((_Step(position, to_view=True), base))
        return found

    def _may_keep_elements(self, name: str) -> bool:
        return is_kind(name, NodeKind.REARRANGES) or op_of(name) == "expand" or _is_power(name)

    def _is_first_power(self, position: int) -> bool:
        return self._record.nodes[position].fields["attributes"].get("exponent") == 1

    def _keeps_elements(self, position: int, base: Pair) -> bool:
        sizes = [self._shape(pair) for pair in ((position, 0), base)]
        return None not in sizes and math.prod(sizes[0] or ()) == math.prod(sizes[1] or ())

    def _shape(self, pair: Pair) -> list[int] | None:
        outputs = self._record.nodes[pair[0]].outputs
        return outputs[pair[1]].shape if pair[1] < len(outputs) else None

    def _search(self, pair: Pair) -> Value:
        """Breadth first, so that the nearest tensor counts."""
        ways: dict[Pair, list[tuple[_Step, Pair]]] = {pair: []}
        waiting = [pair]
        for now in waiting:
            for step, source in self._steps.get(now, ()):
                if source in ways:
                    continue
                ways[source] = [(step, now), *ways[now]]
                value = self._measured(source)
                if value is not None and (moved := self._moved(value, ways[source])) is not None:
                    return moved
                waiting.append(source)
        self._found.update(dict.fromkeys(ways))
        return None

    def _moved(self, value: Value, way: list[tuple[_Step, Pair]]) -> Value:
        """The value at the end of a way, from that at its start; None if the order of the elements is lost."""
        target = way[-1][1]
        if not is_summary(value):
            return self._in_new_order(numpy.array(value, dtype=object), way)
        names = [self._record.structure.names[step.view] for step, _ in way]
        relation = "the tensor that it is a view of" if way[0][0].to_view else f"a view of it ({names[0]})"
        relation = "its first power, or the base of it" if _is_power(names[0]) else relation
        moved: Value = {**value, "shape": self._shape(target), "computed": f"from {relation}"}
        known = elements_of(value)
        elements = None if known is None else self._in_new_order(numpy.array(known).reshape(value["shape"]), way)
        return with_elements(moved, None if elements is None else numpy.ravel(elements).tolist())

    def _in_new_order(self, elements: Any, way: list[tuple[_Step, Pair]]) -> Value:
        """The elements at the end of a way, as nested lists; None if their order is lost."""
        for step, pair in way:
            order = self._order(step, elements.ndim)
            if order is None:
                return None
            elements = elements.transpose(order).reshape(self._shape(pair) or ())
        return elements.tolist()

    def _order(self, step: _Step, dimensions: int) -> list[int] | None:
        """The order of the dimensions that a step changes them to; None if it moves single elements."""
        node = self._record.nodes[step.view]
        order, op, attributes = list(range(dimensions)), op_of(node.name), node.fields["attributes"]
        if op in ("t", "transpose"):
            first, second = (0, 1) if op == "t" else (attributes.get("dim0"), attributes.get("dim1"))
            if first is None or second is None:
                return None
            if dimensions > 1:
                order[first], order[second] = order[second], order[first]
            return order
        if op == "permute":
            dims: list[Any] = attributes.get("dims") or []
            order = [dim % dimensions for dim in dims]
            return (order if step.to_view else list(numpy.argsort(order))) if len(dims) == dimensions else None
        keeps_order = is_kind(node.name, NodeKind.RESHAPES) or op in _SAME_PLACES or _is_power(node.name)
        return order if keeps_order else None


def _is_power(name: str) -> bool:
    """Whether a Node is a power with a number as exponent."""
    return op_of(name) == "pow.Tensor_Scalar"
