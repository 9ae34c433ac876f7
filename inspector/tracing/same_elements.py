"""Infer the value of a tensor from a measured one with the same elements.

That is its view, what it is a view of, or its first power, which the graph of a derivative has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from operator import itemgetter
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
        if self._record.is_structure_only or not (pair[0] in self._users or pair[0] in self._keeping):
            return None
        if pair not in self._found:
            self._found[pair] = self._search(pair)
        return self._found[pair]

    def _steps_to(self, end: Pair) -> list[tuple[_Step, Pair]]:
        """The steps from another tensor to this one, in walk order of the functions between them."""
        structure, (own, output_nr) = self._record.structure, end
        found = [
            (view, (_Step(view, to_view=False), (view, 0)))
            for view, input_nr in self._users.get(own, ())
            if input_nr == output_nr and self._keeps_elements(view, end)
        ]
        if output_nr == 0 and own in self._keeping and _shares_or_copies_power(structure.names[own]):
            # A copy is not changed by later writes to the base; that of a power, which saved it, has none.
            bases = [(target, input_nr) for _, target, input_nr in structure.edges_of(own) if target != EMPTY]
            found += [(own, (_Step(own, to_view=True), base)) for base in bases if self._keeps_elements(own, base)]
            found.sort(key=itemgetter(0))
        return [step for _, step in found]

    @cached_property
    def _keeping(self) -> frozenset[int]:
        """The functions that may keep all elements of their input."""
        names, nodes = self._record.structure.names, self._record.nodes
        kept = {name: _is_power(name) for name in set(names) if _may_keep(name)}
        return frozenset([
            position
            for position, name in enumerate(names)
            if name in kept and not (kept[name] and nodes[position].fields["attributes"].get("exponent") != 1)
        ])

    @cached_property
    def _users(self) -> dict[int, list[tuple[int, int]]]:
        """Function → (a function that may keep the elements of its output, number of the output)."""
        structure = self._record.structure
        starts, targets, input_nrs = structure.starts, structure.targets, structure.input_nrs
        found: dict[int, list[tuple[int, int]]] = {}
        for position in sorted(self._keeping):
            for edge in range(starts[position], starts[position + 1]):
                if targets[edge] != EMPTY:
                    found.setdefault(targets[edge], []).append((position, input_nrs[edge]))
        return found

    def _keeps_elements(self, position: int, base: Pair) -> bool:
        one, other = self._shape((position, 0)), self._shape(base)
        return one is not None and other is not None and math.prod(one) == math.prod(other)

    def _shape(self, pair: Pair) -> tuple[int, ...] | None:
        outputs = self._record.nodes[pair[0]].outputs
        return outputs[pair[1]].shape if pair[1] < len(outputs) else None

    def _search(self, pair: Pair) -> Value:
        """Breadth first, so that the nearest tensor counts."""
        ways: dict[Pair, list[tuple[_Step, Pair]]] = {pair: []}
        waiting = [pair]
        for now in waiting:
            for step, source in self._steps_to(now):
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
        moved: Value = {**value, "shape": list(self._shape(target) or ()), "computed": f"from {relation}"}
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


def _may_keep(name: str) -> bool:
    """Whether a Node of this name may keep all elements of its input."""
    return is_kind(name, NodeKind.REARRANGES) or op_of(name) == "expand" or _is_power(name)


def _shares_or_copies_power(name: str) -> bool:
    return is_kind(name, NodeKind.VIEW) or _is_power(name)


def _is_power(name: str) -> bool:
    """Whether a Node is a power with a number as exponent."""
    return op_of(name) == "pow.Tensor_Scalar"
