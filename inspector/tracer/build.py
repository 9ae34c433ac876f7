"""From a Record and what flowed to a Graph: the attribute dictionaries that `inspector.graph.model` describes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import networkx

from inspector.collector import without_collections
from inspector.graph.model import MOMENTS, Graph, Moment, State
from inspector.graph.values import Value, unknown
from inspector.tracer.answers import NOT_RUN, NOT_SEEN, Answers, Forward, Output
from inspector.tracer.flow import Flow
from inspector.tracer.formulas import formula
from inspector.tracer.ids import Ids
from inspector.tracer.nodes import ACCUMULATE_GRAD
from inspector.tracer.tensors import Seen
from inspector.tracer.tracing import NodeRecord, Pair, Record, SavedRecord
from inspector.tracer.walk import EMPTY

_NOT_MADE = unknown("the making of the leaf was not recorded")
_NOT_WANTED = unknown("it needs no gradient")
_UNSEEN: State = {"data": NOT_SEEN, "grad": NOT_SEEN}
_UNSEEN_YET: State = {"data": NOT_RUN, "grad": NOT_RUN}
_NO_SLOTS: list[int] = []


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
        self._is_plain = record.is_bare and answers.has_no_values
        self._plain: dict[str, dict[str, Any]] = {}
        self._empty_slots: dict[int, list[int]] = {}
        for source, slot, target, _ in record.structure.edges():
            if target == EMPTY:
                self._empty_slots.setdefault(source, []).append(slot)

    def network(self) -> networkx.MultiDiGraph[Any]:
        """Nodes in walk order, a tensor before its grad_fn and a leaf after its AccumulateGrad."""
        with without_collections():
            return self._network()

    def _network(self) -> networkx.MultiDiGraph[Any]:
        network: networkx.MultiDiGraph[Any] = networkx.MultiDiGraph()
        tensor_edges: list[tuple[str, str, dict[str, Any]]] = []
        network.add_nodes_from(self._nodes(tensor_edges))
        network.add_nodes_from(
            (self._ids.tensor(position), self._constant(seen))
            for position, seen in enumerate(self._record.constants)
        )
        network.add_edges_from(tensor_edges)
        network.add_edges_from(self._next_edges())
        network.add_edges_from(self._saved_edges())
        return network

    def _nodes(self, edges: list[tuple[str, str, dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
        """(id, attributes) of functions and their tensors; `edges` gets those between the two."""
        names, is_met = self._record.structure.names, self._answers.is_met
        for position, count in enumerate(self._record.output_counts()):
            identifier = self._ids.function(position)
            if self._is_plain and count == 1 and self._answers.is_unknown((position, 0)):
                yield identifier, self._plain_function(position, names[position])
                continue
            pairs = [(position, output_nr) for output_nr in range(max(1, count))]
            attributes = self._function(position, pairs)
            met = [pair for pair in pairs if is_met(pair)]
            if names[position] == ACCUMULATE_GRAD:
                yield identifier, attributes
                for tensor, facts in self._tensors(met):
                    edges.append((identifier, tensor, {"kind": "accumulate", "gradient": facts["gradient"]}))
                    yield tensor, facts
            else:
                for tensor, facts in self._tensors(met) if met else ():
                    edges.append((tensor, identifier, {"kind": "grad_fn"}))
                    yield tensor, facts
                yield identifier, attributes

    def _next_edges(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        shared: dict[Pair, dict[str, Any]] = {}  # networkx copies them
        for source, slot, target, input_nr in self._record.structure.edges():
            if target == EMPTY:
                continue
            facts = shared.get((slot, input_nr)) if self._is_plain else None
            if facts is None:
                gradient = self._answers.contribution(source, slot)
                facts = {"kind": "next", "slot": slot, "input_nr": input_nr, "gradient": gradient}
                shared[slot, input_nr] = facts
            yield f"n{source}", f"n{target}", facts

    def _saved_edges(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if self._record.is_bare:
            return
        for position, node in enumerate(self._record.nodes):
            for saved in node.saved:
                if saved.tensor is not None:
                    tensor = self._ids.tensor(saved.tensor)
                    yield self._ids.function(position), tensor, {"kind": "saved", "name": saved.name}

    def _plain_function(self, position: int, name: str) -> dict[str, Any]:
        """A function of which nothing but the structure is known: all of a name share it, networkx copies it."""
        found = self._plain.get(name)
        if found is None:
            found = self._plain[name] = self._function(position, [(position, 0)]) | {"empty_slots": _NO_SLOTS}
        slots = self._empty_slots.get(position)
        return found if slots is None else found | {"empty_slots": slots}

    def _function(self, position: int, pairs: list[Pair]) -> dict[str, Any]:
        node = self._record.nodes[position]
        is_leaf = node.name == ACCUMULATE_GRAD
        answers = self._answers
        made_in = None if is_leaf else answers.made_in(node)
        output = None if is_leaf else answers.output(pairs[0])
        before, after = _UNSEEN, _UNSEEN if answers.ran else _UNSEEN_YET
        if len(pairs) > 1 or not answers.is_unknown(pairs[0]):
            before, after = (self._states(pairs, moment) for moment in MOMENTS)
        return {
            "kind": "function",
            "name": node.name,
            "is_leaf": is_leaf,
            "requires_grad": True,
            "module": None if is_leaf else answers.module(node),
            "source": None if is_leaf else answers.source(node),
            **({} if made_in is None else {"made_in": made_in}),
            "step": answers.step(position),
            "attributes": node.attributes,
            "empty_slots": self._empty_slots.get(position, _NO_SLOTS),
            "formula": formula(node.name),
            "saved": [self._saved(saved) for saved in node.saved],
            "before": before,
            "after": after,
            "gradient": _one_or_all([answers.gradient(pair) for pair in pairs]),
            **_operands(output),
        }

    def _saved(self, saved: SavedRecord) -> dict[str, Any]:
        known = {"shape": saved.shape, "dtype": saved.dtype, "bytes": saved.bytes}
        return {
            "name": saved.name,
            "tensor": None if saved.tensor is None else self._ids.tensor(saved.tensor),
            "before": saved.before,
            "after": saved.after,
            **{key: fact for key, fact in known.items() if fact is not None},
        }

    def _tensors(self, pairs: list[Pair]) -> Iterator[tuple[str, dict[str, Any]]]:
        """(id, attributes) of outputs of one Node."""
        for pair in pairs:
            node = self._record.nodes[pair[0]]
            attributes = self._tensor(pair, node)
            if len(node.outputs) > 1:
                attributes["output_nr"] = pair[1]
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
        return seen.source if seen is not None and seen.source is not None else _NOT_MADE

    def _facts(self, pair: Pair, node: NodeRecord) -> dict[str, Any]:
        seen = self._record.seen.get(pair)
        if seen is not None:
            return _facts(seen)
        output = node.outputs[pair[1]]
        return {
            "retains_grad": NOT_SEEN,
            "dtype": output.dtype,
            "shape": output.shape or [],
            "device": output.device,
            "version": NOT_SEEN,
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
            "source": seen.source if seen.source is not None else _NOT_WANTED,
            **states,
            "gradient": _NOT_WANTED,
        }

    def _states(self, pairs: list[Pair], moment: Moment) -> State:
        if len(pairs) == 1:
            return {"data": self._answers.data(pairs[0], moment), "grad": self._answers.grad(pairs[0], moment)}
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
