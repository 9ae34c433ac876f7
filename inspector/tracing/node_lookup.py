"""Look up the facts of Nodes and outputs by position, in the trace and the forward."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Protocol

from inspector.graph.row_types import Given, InputFields, MadeBy, Naming, State
from inspector.graph.values import Value, is_unknown, unknown
from inspector.tensor_stats import Pending
from inspector.tracing.gradient_flow import GradientFlow
from inspector.tracing.gradient_lookup import NOT_RUN, GradientLookup
from inspector.tracing.graph_values import GraphValues
from inspector.tracing.names_over_time import names_of
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.same_elements import SameElements
from inspector.tracing.traced_graph import Pair, TracedGraph
from inspector.tracing.uses import SeenCall

# Shared objects, since a graph contains millions of them.
NOT_RECORDED = unknown("the forward was not recorded")
NOT_SEEN = unknown("the script no longer held the tensor")
UNSEEN: State = {"data": NOT_SEEN, "grad": NOT_SEEN}
UNSEEN_YET: State = {"data": NOT_RUN, "grad": NOT_RUN}


class RecordedInputs(Protocol):
    """Facts about the inputs of an operation of the forward."""

    @property
    def fields(self) -> InputFields: ...
    @property
    def given(self) -> Given | None: ...
    @property
    def call(self) -> SeenCall | None: ...


class RecordedOutput(Protocol):
    """One recorded output of the forward."""

    @property
    def name(self) -> str | None: ...
    @property
    def scope(self) -> int: ...
    @property
    def expression(self) -> str | None: ...
    @property
    def value(self) -> Pending: ...
    @property
    def inputs(self) -> RecordedInputs: ...


class RecordedForward(Protocol):
    """The recorded forward, by the sequence numbers of Nodes."""

    def source(self, sequence_nr: int) -> Any: ...

    def begin_graph(self, sequence_nrs: Iterable[int]) -> None: ...

    def module(self, sequence_nr: int) -> Any: ...

    def passes(self, sequence_nr: int) -> list[int] | None: ...

    def has_made(self) -> bool: ...

    def made_in(self, sequence_nr: int) -> int | None: ...

    def made_by(self, sequence_nr: int) -> MadeBy | None: ...

    def output(self, sequence_nr: int, output_nr: int) -> RecordedOutput | None: ...

    def inner_value(self, sequence_nr: int, output_nr: int) -> Pending | None: ...


class NodeLookup:
    """Lookups for one Graph. What was not recorded is `{"unknown": reason}`.

    sequence_nr: of a Node that is not an AccumulateGrad.
    """

    def __init__(self, record: TracedGraph, flow: GradientFlow | None, forward: RecordedForward | None) -> None:
        self._record, self._forward = record, forward
        if forward is not None:
            numbers, kinds = record.structure.sequence_nrs, record.structure.names
            forward.begin_graph(
                number for number, name in zip(numbers, kinds, strict=True) if name != ACCUMULATE_GRAD
            )
        self._outputs: dict[Pair, RecordedOutput | None] = {}
        self.names = names_of(record, None if forward is None else self.output)
        self.values = GraphValues(record, self.names, self._values_of)
        self.gradients = GradientLookup(record, flow, self.values)

    @cached_property
    def _same_elements(self) -> SameElements:
        return SameElements(self._record, self._measured)

    @property
    def has_no_values(self) -> bool:
        """Whether every function has the same values: no gradients and no forward were recorded."""
        return self._forward is None and self.gradients.has_none

    @property
    def has_forward(self) -> bool:
        """Whether the forward was recorded."""
        return self._forward is not None

    def is_seen(self, pair: Pair) -> bool:
        """Whether a tensor was seen or recorded itself."""
        return pair in self._record.tensors or (self._forward is not None and self.output(pair) is not None)

    def source(self, sequence_nr: int) -> Any:
        """The line of user code that created a Node."""
        found = self._forward.source(sequence_nr) if self._forward else None
        return found if found is not None else NOT_RECORDED

    def module(self, sequence_nr: int) -> Any:
        """The path of the module that created a Node."""
        return self._forward.module(sequence_nr) if self._forward else NOT_RECORDED

    def passes(self, sequence_nr: int) -> list[int] | None:
        """Which pass through each module along its path created a Node; None if each was called, and once."""
        return self._forward.passes(sequence_nr) if self._forward else None

    @property
    def has_made(self) -> bool:
        """Whether a backward call may have created Nodes of the graph."""
        return self._forward is not None and self._forward.has_made()

    def made_in(self, sequence_nr: int) -> int | None:
        """The backward call that created a Node; None for a Node of the forward, and if that is unknown."""
        return self._forward.made_in(sequence_nr) if self._forward else None

    def made_by(self, sequence_nr: int) -> MadeBy | None:
        """The function that created a Node in its backward, if that was seen."""
        return self._forward.made_by(sequence_nr) if self._forward else None

    def output(self, pair: Pair) -> RecordedOutput | None:
        """The record of the operation that created a tensor; None if there is none."""
        if self._forward is None:
            return None
        if pair not in self._outputs:
            self._outputs[pair] = self._forward.output(self._record.structure.sequence_nrs[pair[0]], pair[1])
        return self._outputs[pair]

    def naming(self, pair: Pair) -> Naming:
        """`name` of a tensor, and if it has none, its source text as `expression`."""
        name = self.names.tensors.get(pair)
        if name is not None:
            return {"name": name.text} if name.number is None else {"name": name.text, "pass": name.number}
        output = self.output(pair)
        expression = output.expression if output is not None else None
        return {"name": None, "expression": expression} if expression else {"name": None}

    def _state(self, held: dict[str, Pending], pair: Pair) -> State:
        return {"data": self.values.value(held["data"], pair), "grad": self.values.value(held["grad"], pair)}

    def _values_of(self, pair: Pair) -> Iterator[Pending]:
        """The values of a tensor that `states` and the gradient are made of."""
        seen, output = self._record.tensors.get(pair), self.output(pair)
        if seen is not None:
            yield from seen.before.values()
            yield from seen.after.values()
        elif output is not None:
            yield output.value
        elif (inner := self._inner(pair)) is not None:
            yield inner
        if (gradient := self.gradients.measured(pair)) is not None:
            yield gradient

    def states(self, pair: Pair) -> tuple[State, State]:
        """`data` and `grad` of a tensor before and after: as seen around backward, else the value recorded in the
        forward."""
        seen = self._record.tensors.get(pair)
        if seen is not None:
            before = self._state(seen.before, pair)
            return before, self._state(seen.after, pair) if self.gradients.ran else UNSEEN_YET
        output = self.output(pair)
        value = self.values.value(output.value, pair) if output is not None else self._inferred(pair)
        before = UNSEEN if value is NOT_SEEN else {"data": value, "grad": NOT_SEEN}
        return before, before if self.gradients.ran else UNSEEN_YET

    def _inferred(self, pair: Pair) -> Value:
        """The value of a tensor that the script never had: as measured inside the operation that made it, or as
        that of a tensor with the same elements."""
        value = self._inner_value(pair)
        if value is None:
            value = self._same_elements.value(pair)
        return NOT_SEEN if value is None else value

    def _inner_value(self, pair: Pair) -> Value:
        found = self._inner(pair)
        return None if found is None else self.values.value(found, pair)

    def _inner(self, pair: Pair) -> Pending | None:
        if self._forward is None:
            return None
        return self._forward.inner_value(self._record.structure.sequence_nrs[pair[0]], pair[1])

    def _measured(self, pair: Pair) -> Value:
        """The value of a tensor that was seen or recorded; None for others, and if it is unknown."""
        seen, output = self._record.tensors.get(pair), self.output(pair)
        if seen is not None:
            value: Value = self.values.value(seen.before["data"], pair)
        else:
            value = self.values.value(output.value, pair) if output is not None else self._inner_value(pair)
        return None if is_unknown(value) else value
