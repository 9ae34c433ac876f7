"""From a Record and what flowed to a Graph: the attribute dictionaries that `inspector.graph.model` describes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import networkx

from inspector.graph.model import MOMENTS, Graph, Moment
from inspector.graph.values import Value, unknown
from inspector.tracer.answers import Answers, Forward, Output
from inspector.tracer.flow import Flow
from inspector.tracer.formulas import formula
from inspector.tracer.ids import Ids
from inspector.tracer.nodes import ACCUMULATE_GRAD
from inspector.tracer.tensors import Seen
from inspector.tracer.tracing import NodeRecord, Pair, Record
from inspector.tracer.walk import EMPTY

_NOT_SEEN = "no tensor of the script's was left to ask"
_NOT_MADE = "the making of the leaf was not recorded"
_NOT_WANTED = "it needs no gradient"


def build_graph(record: Record, flow: Flow | None, forward: Forward | None = None) -> Graph:
    """The Graph of a traced backward call.

    flow: what the engine did, None if backward has not run. forward: what was recorded of the forward.
    """
    ids = Ids(record)
    return Graph(
        lambda: _Builder(record, Answers(record, flow, forward), ids).network(),
        roots=[ids.tensor(pair) for pair in record.roots],
        steps=[ids.function(position) for position in flow.steps] if flow else [],
        error=flow.error if flow else None,
    )


class _Builder:
    def __init__(self, record: Record, answers: Answers, ids: Ids) -> None:
        self._record = record
        self._answers = answers
        self._ids = ids
        self._empty_slots: dict[int, list[int]] = {}
        for source, slot, target, _ in record.edges:
            if target == EMPTY:
                self._empty_slots.setdefault(source, []).append(slot)

    def network(self) -> networkx.MultiDiGraph[Any]:
        """Nodes in walk order, a tensor before its grad_fn and a leaf after its AccumulateGrad."""
        network: networkx.MultiDiGraph[Any] = networkx.MultiDiGraph()
        for position, node in enumerate(self._record.nodes):
            tensors = list(self._tensors(position, node))
            function = (self._ids.function(position), self._function(position, node))
            is_leaf = node.name == ACCUMULATE_GRAD
            network.add_nodes_from([function, *tensors] if is_leaf else [*tensors, function])
            for identifier, attributes in tensors:
                if is_leaf:
                    gradient = attributes["gradient"]
                    network.add_edge(function[0], identifier, kind="accumulate", gradient=gradient)
                else:
                    network.add_edge(identifier, function[0], kind="grad_fn")
        for position, seen in enumerate(self._record.constants):
            network.add_node(self._ids.tensor(position), **self._constant(seen))
        self._add_next_edges(network)
        self._add_saved_edges(network)
        return network

    def _add_next_edges(self, network: Any) -> None:
        for source, slot, target, input_nr in self._record.edges:
            if target != EMPTY:
                gradient = self._answers.contribution(source, slot)
                facts = {"slot": slot, "input_nr": input_nr, "gradient": gradient}
                network.add_edge(self._ids.function(source), self._ids.function(target), kind="next", **facts)

    def _add_saved_edges(self, network: Any) -> None:
        for position, node in enumerate(self._record.nodes):
            for saved in node.saved:
                if saved.tensor is not None:
                    network.add_edge(
                        self._ids.function(position), self._ids.tensor(saved.tensor), kind="saved", name=saved.name
                    )

    def _function(self, position: int, node: NodeRecord) -> dict[str, Any]:
        is_leaf = node.name == ACCUMULATE_GRAD
        pairs = [(position, output_nr) for output_nr in range(max(1, len(node.outputs)))]
        output = None if is_leaf else self._answers.output(pairs[0])
        return {
            "kind": "function",
            "name": node.name,
            "is_leaf": is_leaf,
            "requires_grad": True,
            "module": None if is_leaf else self._answers.module(node),
            "source": None if is_leaf else self._answers.source(node),
            "step": self._answers.step(position),
            "attributes": node.attributes,
            "empty_slots": self._empty_slots.get(position, []),
            "formula": formula(node.name),
            "saved": [
                {
                    "name": saved.name,
                    "tensor": None if saved.tensor is None else self._ids.tensor(saved.tensor),
                    "before": saved.before,
                    "after": saved.after,
                }
                for saved in node.saved
            ],
            **{moment: self._states(pairs, moment) for moment in MOMENTS},
            "gradient": _one_or_all([self._answers.gradient(pair) for pair in pairs]),
            **_operands(output),
        }

    def _tensors(self, position: int, node: NodeRecord) -> Iterator[tuple[str, dict[str, Any]]]:
        """(id, attributes) of the outputs of a Node that were seen or recorded."""
        for output_nr in range(max(1, len(node.outputs))):
            pair = (position, output_nr)
            if pair not in self._record.seen and self._answers.output(pair) is None:
                continue
            attributes = self._tensor(pair, node)
            if len(node.outputs) > 1:
                attributes["output_nr"] = output_nr
            yield self._ids.tensor(pair), attributes

    def _tensor(self, pair: Pair, node: NodeRecord) -> dict[str, Any]:
        is_leaf = node.name == ACCUMULATE_GRAD
        return {
            "kind": "tensor",
            **self._answers.naming(pair),
            "is_leaf": is_leaf,
            "requires_grad": True,
            "grad_fn": None if is_leaf else self._ids.function(pair[0]),
            **self._facts(pair, node),
            "source": self._source(pair, node),
            **{moment: self._states([pair], moment) for moment in MOMENTS},
            "gradient": self._answers.gradient(pair),
        }

    def _source(self, pair: Pair, node: NodeRecord) -> Any:
        if node.name != ACCUMULATE_GRAD:
            return self._answers.source(node)
        seen = self._record.seen.get(pair)
        return seen.source if seen is not None and seen.source is not None else unknown(_NOT_MADE)

    def _facts(self, pair: Pair, node: NodeRecord) -> dict[str, Any]:
        seen = self._record.seen.get(pair)
        if seen is not None:
            return _facts(seen)
        output = node.outputs[pair[1]]
        return {
            "retains_grad": unknown(_NOT_SEEN),
            "dtype": output.dtype,
            "shape": output.shape or [],
            "device": output.device,
            "version": unknown(_NOT_SEEN),
        }

    def _constant(self, seen: Seen) -> dict[str, Any]:
        """A tensor that a function saved and that no gradient is wanted for."""
        states: dict[str, Any] = {
            moment: {kind: pending.value for kind, pending in (getattr(seen, moment) or seen.before).items()}
            for moment in MOMENTS
        }
        return {
            "kind": "tensor",
            "name": seen.name,
            "is_leaf": seen.facts.is_leaf,
            "requires_grad": seen.facts.requires_grad,
            "grad_fn": None,
            **_facts(seen),
            "source": seen.source if seen.source is not None else unknown(_NOT_WANTED),
            **states,
            "gradient": unknown(_NOT_WANTED),
        }

    def _states(self, pairs: list[Pair], moment: Moment) -> dict[str, Value]:
        return {
            "data": _one_or_all([self._answers.data(pair, moment) for pair in pairs]),
            "grad": _one_or_all([self._answers.grad(pair, moment) for pair in pairs]),
        }


def _operands(output: Output | None) -> dict[str, Any]:
    """What is known of an operation's operands beside the tensors of the graph."""
    if output is None:
        return {}
    found = {"operands": output.operands, "given": output.given}
    return {key: value for key, value in found.items() if value}


def _facts(seen: Seen) -> dict[str, Any]:
    facts = seen.facts
    return {
        "retains_grad": facts.retains_grad,
        "dtype": facts.dtype,
        "shape": facts.shape,
        "device": facts.device,
        "version": facts.version,
    }


def _one_or_all(values: list[Value]) -> Value:
    return values[0] if len(values) == 1 else values
