"""Values by position: what a Record, a Flow and the recorded forward answer for a Node, an output or an edge."""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol

from inspector.graph.model import Moment
from inspector.graph.values import Value, is_summary, unknown
from inspector.summaries import Pending
from inspector.tracer.flow import Flow
from inspector.tracer.nodes import REARRANGES
from inspector.tracer.tracing import NodeRecord, Pair, Record

_NOT_RUN = "backward has not run"
_NOT_REACHED = "the engine did not run it"
_NOT_RECORDED = "the forward was not recorded"
_LIGHT = "a light recording measures sums, not what each edge adds to them"
_NOT_SEEN = "no tensor of the script's was left to ask"


class Output(Protocol):
    """One recorded output of the forward."""

    @property
    def name(self) -> str | None: ...
    @property
    def expression(self) -> str | None: ...
    @property
    def value(self) -> Pending: ...
    @property
    def operands(self) -> list[list[int]] | None: ...
    @property
    def given(self) -> dict[str, Any] | None: ...


class Forward(Protocol):
    """What the recorder of the forward knows, by the sequence numbers of Nodes."""

    def source(self, sequence_nr: int) -> Any: ...

    def module(self, sequence_nr: int) -> Any: ...

    def output(self, sequence_nr: int, output_nr: int) -> Output | None: ...


class Answers:
    """Answers for one Graph. What was not seen is `{"unknown": reason}`."""

    def __init__(self, record: Record, flow: Flow | None, forward: Forward | None) -> None:
        self._record = record
        self._flow = flow or Flow(not_recorded=_NOT_RUN)
        self._ran = flow is not None
        self._forward = forward
        self._turns = {position: turn for turn, position in enumerate(self._flow.steps, start=1)}
        self._outputs: dict[Pair, Output | None] = {}
        arriving = Counter((target, input_nr) for _, _, target, input_nr in record.edges)
        self._only_edge = {
            (source, slot): (target, input_nr)
            for source, slot, target, input_nr in record.edges
            if arriving[target, input_nr] == 1 and (target, input_nr) not in record.roots
        }
        self._names = self._unique_names()
        self._views = {
            (target, input_nr): source
            for source, _, target, input_nr in record.edges
            if record.nodes[source].name in REARRANGES
        }

    def step(self, position: int) -> Value:
        """The turn of a Node in the engine's order, from 1; None if the engine did not run it."""
        if self._flow.not_recorded:
            return unknown(self._flow.not_recorded)
        return self._turns.get(position)

    def source(self, node: NodeRecord) -> Any:
        """The line of the user's code that made a Node."""
        found = self._forward.source(node.sequence_nr) if self._forward else None
        return found if found is not None else unknown(_NOT_RECORDED)

    def module(self, node: NodeRecord) -> Any:
        """The path of the module that made a Node."""
        return self._forward.module(node.sequence_nr) if self._forward else unknown(_NOT_RECORDED)

    def output(self, pair: Pair) -> Output | None:
        """What was recorded when the forward made this tensor."""
        if self._forward is None:
            return None
        if pair not in self._outputs:
            self._outputs[pair] = self._forward.output(self._record.nodes[pair[0]].sequence_nr, pair[1])
        return self._outputs[pair]

    def naming(self, pair: Pair) -> dict[str, str | None]:
        """`name` of a tensor, and `expression` for one that has none: its source text."""
        name = self._names.get(pair)
        if name is not None:
            return {"name": name}
        output = self.output(pair)
        expression = output.expression if output is not None else None
        return {"name": None, "expression": expression} if expression else {"name": None}

    def data(self, pair: Pair, moment: Moment) -> Value:
        """The value of a tensor: as it was seen around backward, else as it was recorded in the forward."""
        seen = self._record.seen.get(pair)
        if moment == "after" and not self._ran:
            return unknown(_NOT_RUN)
        if seen is not None:
            return getattr(seen, moment)["data"].value
        output = self.output(pair)
        return output.value.value if output is not None else self._computed(pair)

    def _computed(self, pair: Pair) -> Value:
        """The statistics of a tensor that nobody saw, by a view of it that was seen: the elements are the same."""
        view = pair
        while view in self._views:
            view = (self._views[view], 0)
            seen, output = self._record.seen.get(view), self.output(view)
            value: Value = seen.before["data"].value if seen else output.value.value if output else None
            if is_summary(value):
                shape = self._record.nodes[pair[0]].outputs[pair[1]].shape
                name = self._record.nodes[view[0]].name
                return {**value, "shape": shape, "computed": f"from a view of it ({name})"}
        return unknown(_NOT_SEEN)

    def grad(self, pair: Pair, moment: Moment) -> Value:
        """The attribute `grad` of a tensor."""
        seen = self._record.seen.get(pair)
        if moment == "after" and not self._ran:
            return unknown(_NOT_RUN)
        return getattr(seen, moment)["grad"].value if seen is not None else unknown(_NOT_SEEN)

    def gradient(self, pair: Pair) -> Value:
        """What arrived for a tensor: the sum over the edges into it."""
        if pair in self._flow.captured:
            return self._flow.captured[pair].value
        if self._flow.not_recorded:
            return unknown(self._flow.not_recorded)
        arrived = self._flow.arrived.get(pair[0])
        if arrived is None or pair[1] >= len(arrived):
            return unknown(_NOT_REACHED)
        return arrived[pair[1]].value

    def contribution(self, source: int, slot: int) -> Value:
        """What went along one edge."""
        if self._flow.not_recorded:
            return unknown(self._flow.not_recorded)
        pending = self._flow.contributions.get((source, slot))
        if pending is not None:
            return pending.value
        if source not in self._turns:
            return unknown(_NOT_REACHED)
        target = self._only_edge.get((source, slot))
        return unknown(_LIGHT) if target is None else self.gradient(target)

    def _unique_names(self) -> dict[Pair, str]:
        """The script's names around backward; beside them the names that tensors had when they were made, where
        no other tensor of the graph bears the same (`x = relu(x)` names four of them `x`)."""
        names = {pair: seen.name for pair, seen in self._record.seen.items() if seen.name is not None}
        recorded = {
            (position, output_nr): output.name
            for position, node in enumerate(self._record.nodes)
            for output_nr in range(len(node.outputs))
            if (output := self.output((position, output_nr))) is not None and output.name is not None
        }
        counts = Counter(recorded.values())
        taken = set(names.values())
        for pair, name in recorded.items():
            if pair not in names and name not in taken and counts[name] == 1:
                names[pair] = name
        return names
