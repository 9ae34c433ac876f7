"""Build a Graph from a TracedGraph and the recorded gradients, with the rows of `inspector.graph.model`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from inspector.graph.model import Graph
from inspector.graph.row_types import (
    EdgeRow,
    FunctionRow,
    InputFields,
    LookedUpFields,
    NextEdge,
    SavedTensor,
    State,
    TensorFactsRow,
    TensorRow,
)
from inspector.graph.rows import Rows, rows_of
from inspector.graph.values import Value, unknown
from inspector.tensor_stats import Pending
from inspector.torch_api.formulas import formula
from inspector.tracing.compiled_parts import with_script_paths
from inspector.tracing.constant_rows import ConstantRows
from inspector.tracing.gradient_flow import GradientFlow
from inspector.tracing.ids import Ids
from inspector.tracing.names_over_time import Name
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.node_lookup import NOT_SEEN, UNSEEN, UNSEEN_YET, NodeLookup, RecordedForward
from inspector.tracing.operands import OperandFinder
from inspector.tracing.tensor_facts import TensorSnapshot
from inspector.tracing.traced_graph import NodeFacts, Pair, SavedTensorFacts, TracedGraph
from inspector.tracing.uses import SeenCall
from inspector.tracing.walk import EMPTY
from inspector.util.gc_pause import gc_paused

_NOT_MADE = unknown("the operation that created the leaf was not recorded")
_NOT_WANTED = unknown("it does not require a gradient")
_NO_SLOTS: list[int] = []
_Edge = tuple[str, str, EdgeRow]
_Output = tuple[Pair, tuple[State, State]]
"""An output, and its states before and after."""


def build_graph(
    record: TracedGraph, ids: Ids, flow: GradientFlow | None, forward: RecordedForward | None = None
) -> Graph:
    """The Graph of a traced backward call.

    ids: of the record. flow: the recorded gradients, None if backward has not run. forward: the recorded forward.
    """
    return Graph(
        lambda: _Builder(record, NodeLookup(record, flow, forward), ids).rows(),
        roots=[ids.tensor(pair) for pair in record.roots],
        steps=[ids.function(position) for position in flow.steps] if flow else [],
        error=flow.error if flow else None,
    )


class _Builder:
    def __init__(self, record: TracedGraph, lookup: NodeLookup, ids: Ids) -> None:
        self._record = record
        self._lookup = lookup
        self._ids = ids
        self._constants = ConstantRows(record, lookup, ids)
        self._is_plain = record.is_structure_only and lookup.has_no_values
        self._plain: dict[str, FunctionRow] = {}
        self._operands = OperandFinder()
        self._empty_slots = record.structure.empty_slots()

    def rows(self) -> Rows:
        """Nodes in walk order, a tensor before its grad_fn and a leaf after its AccumulateGrad."""
        with gc_paused():
            return self._rows()

    def _rows(self) -> Rows:
        tensor_edges: list[_Edge] = []  # filled by `_nodes`
        constants = (
            (self._ids.tensor(position), self._constant(position, seen))
            for position, seen in enumerate(self._record.constants)
        )
        nodes = chain(self._nodes(tensor_edges), constants)
        return rows_of(nodes, chain(tensor_edges, self._next_edges(), self._saved_edges()))

    def _nodes(self, edges: list[_Edge]) -> Iterator[tuple[str, FunctionRow | TensorRow]]:
        """(id, attributes) of functions and their tensors. edges: receives the edges between the two."""
        names, is_seen, met = self._record.structure.names, self._lookup.is_seen, self._record.tensors
        for position, count in enumerate(self._record.output_counts()):
            identifier, name = f"n{position}", names[position]
            if self._is_plain and count == 1 and (position, 0) not in met:
                yield identifier, self._plain_function(position, name)
                continue
            outputs = [(pair, self._lookup.states(pair)) for pair in _pairs(position, count)]
            node = self._record.nodes[position]
            if self._is_plain and count == 1:
                before, after = outputs[0][1]
                attributes = self._plain_function(position, name) | {"before": before, "after": after}
            else:
                attributes = self._function(position, node, outputs)
            if name == ACCUMULATE_GRAD:
                yield identifier, attributes
            for pair, states in outputs:
                if is_seen(pair):
                    tensor, facts = self._ids.tensor(pair), self._tensor(pair, node, states)
                    edges.append(_edge_of(identifier, tensor, facts))
                    yield tensor, facts
            if name != ACCUMULATE_GRAD:
                yield identifier, attributes

    def _next_edges(self) -> Iterator[_Edge]:
        along, edges = self._lookup.gradients.along, self._record.structure.edges()
        same = along(0, 0) if self._is_plain else None  # the same for all edges
        for source, slot, target, input_nr in edges:
            if target != EMPTY:
                gradient = same or along(source, slot)
                facts: NextEdge = {"kind": "next", "slot": slot, "input_nr": input_nr, "gradient": gradient}
                yield f"n{source}", f"n{target}", facts

    def _saved_edges(self) -> Iterator[_Edge]:
        for position, node in self._record.read_nodes():
            for saved in node.saved:
                if saved.tensor is not None:
                    tensor = self._ids.tensor(saved.tensor)
                    yield self._ids.function(position), tensor, {"kind": "saved", "name": saved.name}

    def _plain_function(self, position: int, name: str) -> FunctionRow:
        """A function of which only the structure is known: the same for all Nodes of one name."""
        found = self._plain.get(name)
        if found is None:
            unseen: _Output = (position, 0), (UNSEEN, UNSEEN if self._lookup.gradients.ran else UNSEEN_YET)
            found = self._function(position, self._record.nodes[position], [unseen])
            found["empty_slots"] = _NO_SLOTS
            self._plain[name] = found
        slots = self._empty_slots.get(position)
        return found.copy() if slots is None else found | {"empty_slots": slots}

    def _function(self, position: int, node: NodeFacts, outputs: Sequence[_Output]) -> FunctionRow:
        is_leaf, lookup = node.name == ACCUMULATE_GRAD, self._lookup
        made_in = None if is_leaf else lookup.made_in(node)
        output = None if is_leaf else lookup.output(outputs[0][0])
        before, after = outputs[0][1] if len(outputs) == 1 else _together(outputs)
        row: LookedUpFields = {
            "kind": "function",
            "name": node.name,
            "is_leaf": is_leaf,
            "requires_grad": self._requires_grad(outputs[0][0]),
            "module": None if is_leaf else lookup.module(node),
            "source": None if is_leaf else lookup.source(node),
            "made_in": made_in or 0,
            "step": lookup.gradients.step(position),
            "empty_slots": self._empty_slots.get(position, _NO_SLOTS),
            "formula": formula(node.name),
            "saved": [self._saved(saved) for saved in node.saved],
            "before": before,
            "after": after,
            "gradient": _one_or_all([lookup.gradients.of(pair) for pair, _ in outputs]),
        }
        if made_in is None:
            del row["made_in"]  # set above only for the order of the keys
        elif (made_by := lookup.made_by(node)) is not None:
            row["made_by"] = made_by
        if (passes := None if is_leaf else lookup.passes(node)) is not None:
            row["passes"] = passes
        if (rows := lookup.gradients.rows(position)) is not None:
            row["rows"] = rows
        inputs = None if output is None else output.inputs
        if not is_leaf:
            self._add_constants(row, position, node, None if inputs is None else inputs.call)
        self._add_inner_operations(row, position)
        if inputs is not None and inputs.given:
            row["given"] = inputs.given
        of_inputs: InputFields = {} if inputs is None else inputs.fields
        return {**row, **node.fields, **of_inputs}

    def _add_inner_operations(self, row: LookedUpFields, position: int) -> None:
        """Add the operations of a compiled function, and the graph that a checkpoint makes in backward."""
        if (compiled := self._record.compiled.get(position)) is not None:
            row["compiled"] = with_script_paths(compiled, self._leaf_names(position))
        if (nested := self._record.nested.get(position)) is not None:
            row["nested"] = nested

    def _leaf_names(self, position: int) -> Iterator[tuple[int, str]]:
        """(slot of a Node, name of the leaf that its gradient goes to)."""
        structure = self._record.structure
        for slot, target, input_nr in structure.edges_of(position):
            if target != EMPTY and structure.names[target] == ACCUMULATE_GRAD:
                name = self._lookup.naming((target, input_nr))["name"]
                if name is not None:
                    yield slot, name

    def _add_constants(self, row: LookedUpFields, position: int, node: NodeFacts, call: SeenCall | None) -> None:
        """Add the operands that need no gradient, and the order of all operands."""
        targets = [target != EMPTY for _, target, _ in self._record.structure.edges_of(position)]
        found = self._operands.operands_of(node, targets, call)
        if found.constants:
            row["constants"] = [self._constants.row(item) for item in found.constants]
        if found.slot_positions is not None and (found.constants or not found.are_in_order):
            row["slot_positions"] = found.slot_positions

    def _saved(self, saved: SavedTensorFacts) -> SavedTensor:
        row: SavedTensor = {
            "name": saved.name,
            "tensor": None if saved.tensor is None else self._ids.tensor(saved.tensor),
            "before": saved.before,
            "after": saved.after,
        }
        if saved.shape is not None:
            row["shape"] = saved.shape
        if saved.dtype is not None:
            row["dtype"] = saved.dtype
        if saved.bytes is not None:
            row["bytes"] = saved.bytes
        return row

    def _tensor(self, pair: Pair, node: NodeFacts, states: tuple[State, State]) -> TensorRow:
        is_leaf = node.name == ACCUMULATE_GRAD
        naming, facts = self._lookup.naming(pair), self._facts(pair, node)
        attributes: TensorRow = {
            "kind": "tensor",
            "name": naming["name"],
            "expression": naming.get("expression", ""),
            "is_leaf": is_leaf,
            "requires_grad": self._requires_grad(pair),
            "grad_fn": None if is_leaf else f"n{pair[0]}",
            "retains_grad": facts["retains_grad"],
            "dtype": facts["dtype"],
            "shape": facts["shape"],
            "device": facts["device"],
            "version": facts["version"],
            "source": self._source(pair, node),
            "before": states[0],
            "after": states[1],
            "gradient": self._lookup.gradients.of(pair),
        }
        if "expression" not in naming:
            del attributes["expression"]  # set above only for the order of the keys
        if "pass" in naming:
            attributes["pass"] = naming["pass"]
        if (seen := self._record.tensors.get(pair)) is not None and seen.facts.part is not None:
            attributes["part"] = seen.facts.part.row()
        if len(node.outputs) > 1:
            attributes["output_nr"] = pair[1]
        if (seed := self._lookup.gradients.seed(pair)) is not None:
            attributes["seed"] = seed
        return attributes

    def _requires_grad(self, pair: Pair) -> bool:
        """Of a tensor with a Node. The script may have frozen a leaf after the forward."""
        seen = self._record.tensors.get(pair)
        return seen is None or seen.facts.requires_grad

    def _source(self, pair: Pair, node: NodeFacts) -> Any:
        if node.name != ACCUMULATE_GRAD:
            return self._lookup.source(node)
        seen = self._record.tensors.get(pair)
        return _NOT_MADE if seen is None or seen.forward.source is None else seen.forward.source

    def _facts(self, pair: Pair, node: NodeFacts) -> TensorFactsRow:
        seen = self._record.tensors.get(pair)
        if seen is not None:
            return seen.facts.row()
        output = node.outputs[pair[1]]
        return {
            "retains_grad": NOT_SEEN,
            "dtype": output.dtype,
            "shape": output.shape or [],
            "device": output.device,
            "version": NOT_SEEN,
        }

    def _constant(self, position: int, seen: TensorSnapshot) -> TensorRow:
        """A saved tensor that does not require a gradient. position: among the constants."""
        facts, after = seen.facts.row(), seen.after or seen.before
        name = self._lookup.names.saved.get(position, Name(seen.name) if seen.name is not None else None)
        row: TensorRow = {
            "kind": "tensor",
            "name": None if name is None else name.text,
            "is_leaf": seen.facts.is_leaf,
            "requires_grad": seen.facts.requires_grad,
            "grad_fn": None,
            "retains_grad": facts["retains_grad"],
            "dtype": facts["dtype"],
            "shape": facts["shape"],
            "device": facts["device"],
            "version": facts["version"],
            "source": _NOT_WANTED if seen.forward.source is None else seen.forward.source,
            "before": self._state(seen.before),
            "after": self._state(after),
            "gradient": _NOT_WANTED,
        }
        if name is not None and name.number is not None:
            row["pass"] = name.number
        return row

    def _state(self, held: Mapping[str, Pending]) -> State:
        value_of = self._lookup.values.value
        return {"data": value_of(held["data"]), "grad": value_of(held["grad"])}


def _pairs(position: int, count: int) -> list[Pair]:
    return [(position, 0)] if count <= 1 else [(position, output_nr) for output_nr in range(count)]


def _edge_of(function: str, tensor: str, facts: TensorRow) -> _Edge:
    """The edge between a function and a tensor with these attributes."""
    if facts["is_leaf"]:
        return function, tensor, {"kind": "accumulate", "gradient": facts["gradient"]}
    return tensor, function, {"kind": "grad_fn"}


def _together(outputs: Sequence[_Output]) -> list[State]:
    """The states of several outputs before and after, as lists by output number."""
    return [
        {"data": [state["data"] for state in states], "grad": [state["grad"] for state in states]}
        for states in zip(*(states for _, states in outputs), strict=True)
    ]


def _one_or_all(values: list[Value]) -> Value:
    return values[0] if len(values) == 1 else values
