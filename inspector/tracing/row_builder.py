"""Make the rows of a TracedGraph and the recorded gradients, as in `inspector.graph.row_types`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inspector.graph.row_types import (
    FunctionRow,
    InputFields,
    LookedUpFields,
    SavedTensor,
    State,
    TensorFactsRow,
    TensorRow,
)
from inspector.graph.values import Value, unknown
from inspector.tensor_stats import Pending
from inspector.torch_api.formulas import formula
from inspector.tracing.compiled_parts import with_script_paths
from inspector.tracing.constant_rows import ConstantRows
from inspector.tracing.ids import Ids
from inspector.tracing.names_over_time import Name
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.node_lookup import NOT_SEEN, UNSEEN, UNSEEN_YET, NodeLookup
from inspector.tracing.operands import OperandFinder
from inspector.tracing.traced_graph import NodeFacts, Pair, SavedTensorFacts, TracedGraph
from inspector.tracing.uses import SeenCall
from inspector.tracing.walk import EMPTY

_NOT_MADE = unknown("the operation that created the leaf was not recorded")
_NOT_WANTED = unknown("it does not require a gradient")
_NO_SLOTS: list[int] = []
_Output = tuple[Pair, tuple[State, State]]
"""An output, and its states before and after."""


class RowBuilder:
    """Makes the rows of one graph.

    is_plain: whether only the structure of its functions is known.
    """

    def __init__(self, record: TracedGraph, lookup: NodeLookup, ids: Ids) -> None:
        self._record = record
        self.lookup = lookup
        self._ids = ids
        self._constants = ConstantRows(record, lookup, ids)
        self.is_plain = record.is_structure_only and lookup.has_no_values
        self._plain: dict[str, FunctionRow] = {}
        self._operands = OperandFinder()
        self._empty_slots = record.structure.empty_slots()

    def function(self, position: int) -> FunctionRow:
        """A Node."""
        if self.is_plain and len(self._record.pairs(position)) == 1 and (position, 0) not in self._record.tensors:
            return self.plain_function(position)
        return self._function_of(position, self._outputs(position))

    def node(self, position: int) -> tuple[FunctionRow, list[tuple[Pair, TensorRow]]]:
        """A Node, and those of its outputs that are seen, with their positions and numbers."""
        outputs, node, is_seen = self._outputs(position), self._record.nodes[position], self.lookup.is_seen
        function = self._function_of(position, outputs)
        return function, [(pair, self._tensor(pair, node, states)) for pair, states in outputs if is_seen(pair)]

    def tensor(self, pair: Pair) -> TensorRow:
        """A tensor of the graph."""
        return self._tensor(pair, self._record.nodes[pair[0]], self.lookup.states(pair))

    def _outputs(self, position: int) -> list[_Output]:
        states = self.lookup.states
        return [(pair, states(pair)) for pair in self._record.pairs(position)]

    def _function_of(self, position: int, outputs: Sequence[_Output]) -> FunctionRow:
        if self.is_plain and len(outputs) == 1:
            before, after = outputs[0][1]
            return self.plain_function(position) | {"before": before, "after": after}
        return self._function(position, self._record.nodes[position], outputs)

    def plain_function(self, position: int) -> FunctionRow:
        """A function of which only the structure is known: the same for all Nodes of one name."""
        name = self._record.structure.names[position]
        found = self._plain.get(name)
        if found is None:
            unseen: _Output = (position, 0), (UNSEEN, UNSEEN if self.lookup.gradients.ran else UNSEEN_YET)
            found = self._function(position, self._record.nodes[position], [unseen])
            found["empty_slots"] = _NO_SLOTS
            self._plain[name] = found
        slots = self._empty_slots.get(position)
        return found.copy() if slots is None else found | {"empty_slots": slots}

    def _function(self, position: int, node: NodeFacts, outputs: Sequence[_Output]) -> FunctionRow:
        is_leaf, lookup = node.name == ACCUMULATE_GRAD, self.lookup
        made_in = None if is_leaf else lookup.made_in(node.sequence_nr)
        output = None if is_leaf else lookup.output(outputs[0][0])
        before, after = outputs[0][1] if len(outputs) == 1 else _together(outputs)
        row: LookedUpFields = {
            "kind": "function",
            "name": node.name,
            "is_leaf": is_leaf,
            "requires_grad": self._requires_grad(outputs[0][0]),
            "module": None if is_leaf else lookup.module(node.sequence_nr),
            "source": None if is_leaf else lookup.source(node.sequence_nr),
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
        elif (made_by := lookup.made_by(node.sequence_nr)) is not None:
            row["made_by"] = made_by
        if (passes := None if is_leaf else lookup.passes(node.sequence_nr)) is not None:
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
                name = self.lookup.naming((target, input_nr))["name"]
                if name is not None:
                    yield slot, name

    def _add_constants(self, row: LookedUpFields, position: int, node: NodeFacts, call: SeenCall | None) -> None:
        """Add the operands that need no gradient, and the order of all operands."""
        targets = [target != EMPTY for target in self._record.structure.targets_of(position)]
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
            row["shape"] = list(saved.shape)
        if saved.dtype is not None:
            row["dtype"] = saved.dtype
        if saved.bytes is not None:
            row["bytes"] = saved.bytes
        return row

    def _tensor(self, pair: Pair, node: NodeFacts, states: tuple[State, State]) -> TensorRow:
        is_leaf = node.name == ACCUMULATE_GRAD
        naming, facts = self.lookup.naming(pair), self._facts(pair, node)
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
            "gradient": self.lookup.gradients.of(pair),
        }
        if "expression" not in naming:
            del attributes["expression"]  # set above only for the order of the keys
        if "pass" in naming:
            attributes["pass"] = naming["pass"]
        if (seen := self._record.tensors.get(pair)) is not None and seen.facts.part is not None:
            attributes["part"] = seen.facts.part.row()
        if len(node.outputs) > 1:
            attributes["output_nr"] = pair[1]
        if (seed := self.lookup.gradients.seed(pair)) is not None:
            attributes["seed"] = seed
        return attributes

    def _requires_grad(self, pair: Pair) -> bool:
        """Of a tensor with a Node. The script may have frozen a leaf after the forward."""
        seen = self._record.tensors.get(pair)
        return seen is None or seen.facts.requires_grad

    def _source(self, pair: Pair, node: NodeFacts) -> Any:
        if node.name != ACCUMULATE_GRAD:
            return self.lookup.source(node.sequence_nr)
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
            "shape": list(output.shape or ()),
            "device": output.device,
            "version": NOT_SEEN,
        }

    def constant(self, position: int) -> TensorRow:
        """A saved tensor that does not require a gradient. position: among the constants."""
        seen = self._record.constants[position]
        facts, after = seen.facts.row(), seen.after or seen.before
        name = self.lookup.names.saved.get(position, Name(seen.name) if seen.name is not None else None)
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
        value_of = self.lookup.values.value
        return {"data": value_of(held["data"]), "grad": value_of(held["grad"])}


def _together(outputs: Sequence[_Output]) -> list[State]:
    """The states of several outputs before and after, as lists by output number."""
    return [
        {"data": [state["data"] for state in states], "grad": [state["grad"] for state in states]}
        for states in zip(*(states for _, states in outputs), strict=True)
    ]


def _one_or_all(values: list[Value]) -> Value:
    return values[0] if len(values) == 1 else values
