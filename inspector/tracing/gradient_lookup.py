"""Look up the gradients of a graph by position: of a tensor, along an edge, and the engine's order."""

from __future__ import annotations

from collections import Counter
from functools import cached_property

from inspector.graph.row_types import GradientRows
from inspector.graph.values import Value, unknown
from inspector.tensor_stats import Pending
from inspector.tracing.gradient_flow import GradientFlow
from inspector.tracing.graph_values import GraphValues
from inspector.tracing.traced_graph import Pair, TracedGraph

# Shared objects, since a graph contains millions of them.
NOT_RUN = unknown("backward has not run")
_NOT_REACHED = unknown("the engine did not run it")
_LIGHT = unknown("not measured per edge in light mode (only sums)")


class GradientLookup:
    """The gradients of one Graph. What was not recorded is `{"unknown": reason}`.

    ran: whether backward has run.
    """

    def __init__(self, record: TracedGraph, flow: GradientFlow | None, values: GraphValues) -> None:
        self._record, self._values = record, values
        self._flow = flow or GradientFlow()
        self.ran = flow is not None
        reason = self._flow.not_recorded
        self._not_recorded: Value = NOT_RUN if flow is None else unknown(reason) if reason else None
        self._turns = {position: turn for turn, position in enumerate(self._flow.steps, start=1)}

    @cached_property
    def _only_edge(self) -> dict[Pair, Pair]:
        """(position, slot) → the output that it alone leads to."""
        edges = list(self._record.structure.edges())
        arriving = Counter((target, input_nr) for _, _, target, input_nr in edges)
        return {
            (source, slot): (target, input_nr)
            for source, slot, target, input_nr in edges
            if arriving[target, input_nr] == 1 and (target, input_nr) not in self._record.roots
        }

    @property
    def has_none(self) -> bool:
        """Whether no gradient was recorded."""
        return self._not_recorded is not None and not self._flow.captured

    @property
    def has_steps(self) -> bool:
        """Whether it is known which Nodes the engine ran."""
        return not self._not_recorded

    def step(self, position: int) -> Value:
        """The step of a Node in the engine's order, from 1; None if the engine did not run it."""
        return self._not_recorded or self._turns.get(position)

    def rows(self, position: int) -> GradientRows | None:
        """The rows that stand out in the gradient that arrived at a Node; None if none does."""
        return self._flow.arrived.rows.get(position)

    def of(self, pair: Pair) -> Value:
        """The gradient of a tensor: the sum over the edges into it."""
        measured = self.measured(pair)
        if measured is not None:
            return self._values.value(measured, pair)
        return self._not_recorded or _NOT_REACHED

    def measured(self, pair: Pair) -> Pending | None:
        """What `of` is the value of; None if the gradient of a tensor was not recorded."""
        captured = self._flow.captured.get(pair)
        if captured is not None or self._not_recorded:
            return captured
        arrived = self._flow.arrived.at(pair[0])
        return None if arrived is None or pair[1] >= len(arrived) else arrived[pair[1]]

    def seed(self, pair: Pair) -> Value:
        """The gradient that the engine was given for a root; None if unknown, or if it is 1 and stayed so."""
        given = self._flow.seeds.get(pair)
        value = None if given is None else given.value
        return None if value == 1 and self.of(pair) == 1 else value

    def along(self, source: int, slot: int) -> Value:
        """The gradient along one edge."""
        if self._not_recorded:
            return self._not_recorded
        pending = self._flow.contributions.get((source, slot))
        if pending is not None:
            return self._values.value(pending)
        if source not in self._turns:
            return _NOT_REACHED
        target = self._only_edge.get((source, slot))
        return _LIGHT if target is None else self.of(target)
