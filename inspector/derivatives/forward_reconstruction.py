"""Reconstruct the forward of a graph from its backward functions: each output's function and inputs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import CodeType
from typing import Any, cast

import numpy
from msgspec import Struct

from inspector.derivatives.elementary import Elementary, Reduction, find_elementary, find_reduction
from inspector.derivatives.linear_ops import STRUCTURAL, STRUCTURAL_INPUTS
from inspector.derivatives.numeric_functions import CONSTANTS, NUMERIC
from inspector.derivatives.small_tensor import SmallTensor, elementwise, small_tensor
from inspector.graph import Graph
from inspector.graph.node_names import op_of
from inspector.graph.row_types import FunctionRow, NextEdge, TensorRow
from inspector.graph.tensor_names import numbered_name
from inspector.graph.topology import Pair, topology_of

_FLOAT32_STEP = 1.2e-7


class KnownOperand(Struct, frozen=True):
    """The meaning of a name in an expression: an output of another function, or a value from outside of the graph.

    tensor: the id of a saved tensor from outside. value: the value from outside; None if unknown.
    """

    pair: Pair | None = None
    tensor: str | None = None
    value: SmallTensor | None = None


class ForwardReconstruction:
    """The forward of a graph, in plain numbers. Values and operands are computed on first use."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = graph.rows.nodes
        self._topology = topology_of(graph)
        self._values: dict[Pair, SmallTensor | None] = {}
        self._operands: dict[str, dict[str, KnownOperand]] = {}

    @functools.cached_property
    def order(self) -> list[str]:
        """The functions in the order of the forward: each after the functions that computed its inputs."""
        return [self._topology.ids[position] for position in reversed(self._topology.order)]

    def edges(self, function: str) -> Iterator[tuple[str, NextEdge]]:
        """(target, attributes) of the edges to the functions that computed the inputs, by slot."""
        for target, edge in self._topology.leaving(self._topology.index[function]):
            yield self._topology.ids[target], edge

    def uses(self, function: str) -> Iterator[str]:
        """The functions that use an output of this one."""
        for source in self._topology.arrivals.of(self._topology.index[function]):
            yield self._topology.ids[source]

    def tensor(self, pair: Pair) -> TensorRow | None:
        """The attributes of a tensor; None if it is not in the graph."""
        identifier = self._topology.outputs.get(pair)
        return None if identifier is None else cast(TensorRow, self.nodes[identifier])

    def function(self, identifier: str) -> FunctionRow:
        """The attributes of a function."""
        return cast(FunctionRow, self.nodes[identifier])

    def aliases(self) -> dict[Pair, str]:
        """The names v1, v2, … that the graph has for tensors so far."""
        rows = zip(self._topology.ids, self._topology.functions, strict=True)
        return {(function, 0): row["alias"]["name"] for function, row in rows if "alias" in row}

    @functools.cached_property
    def tensor_names(self) -> frozenset[str]:
        """The script's names of the tensors."""
        nodes = self.nodes.values()
        found = (numbered_name(cast(TensorRow, node)) for node in nodes if node["kind"] == "tensor")
        return frozenset(name for name in found if name)

    def leaves(self) -> Iterator[tuple[str, Pair]]:
        """(id, pair) of every leaf that receives a gradient."""
        for function, leaf in self._topology.leaves.items():
            yield leaf, (function, 0)

    def inputs(self, function: str) -> tuple[str, ...]:
        """Names of the inputs by slot; empty for a function that is not in any table."""
        row = self.function(function)
        entry = find_elementary(row) or find_reduction(row)
        if entry is not None:
            return tuple(entry.derivatives)
        op = op_of(row["name"])
        if op not in STRUCTURAL:
            return ()
        slots = max((edge["slot"] for _, edge in self.edges(function)), default=0) + 1
        return STRUCTURAL_INPUTS.get(op) or tuple(f"input{slot}" for slot in range(slots))

    def operands(self, function: str) -> dict[str, KnownOperand]:
        """The operands of a function by their names in its expression, inputs and attributes alike."""
        if function not in self._operands:
            self._operands[function] = self._find_operands(function)
        return self._operands[function]

    def value(self, pair: Pair) -> SmallTensor | None:
        """The value of a tensor of the forward, recorded or computed from recorded ones; None for a large one."""
        waiting = [pair]
        while waiting:
            now = waiting[-1]
            if now not in self._values:
                recorded = self._recorded(now)
                missing = [] if recorded is not None or now[1] else self._unknown_inputs(now[0])
                if missing:
                    self._values[now] = None  # until it is computed; stays None if it depends on itself
                    waiting += missing
                    continue
                self._values[now] = recorded
            if self._values[now] is None and not now[1] and self._recorded(now) is None:
                self._values[now] = self.apply(now[0], {})
            waiting.pop()
        return self._values[pair]

    def apply(self, function: str, moved: dict[Pair, SmallTensor]) -> SmallTensor | None:
        """The output of a function with its inputs as recorded, except those in `moved`; None if unknown."""
        arrays: dict[str, SmallTensor] = {}
        for name, operand in self.operands(function).items():
            value = operand.value
            if operand.pair is not None:
                value = moved[operand.pair] if operand.pair in moved else self.value(operand.pair)
            if value is not None:
                arrays[name] = value
        row = self.function(function)
        shape = self.shape((function, 0))
        elementary, reduction = find_elementary(row), find_reduction(row)
        if elementary is not None:
            result = evaluate(elementary.expression, arrays)
            return None if result is None or shape not in (None, result.shape) else result
        if reduction is not None:
            return _reduced(reduction, arrays) if shape in (None, ()) else None
        linear = STRUCTURAL.get(op_of(row["name"]))
        names = self.inputs(function)
        if linear is None or not all(name in arrays for name in names):
            return None
        return linear([arrays[name] for name in names], row["attributes"], shape)

    def at_kink(self, function: str) -> dict[str, str]:
        """torch's derivatives by input, as texts of the table, if all inputs are at a kink; else empty."""
        entry = find_elementary(self.function(function))
        if entry is None or not entry.kink:
            return {}
        found = {name: self._of(operand) for name, operand in self.operands(function).items()}
        arrays = {name: value for name, value in found.items() if value is not None}
        distance = evaluate(entry.kink, arrays)
        return entry.at_kink if distance is not None and not distance.any() else {}

    def ties(self, function: str) -> int:
        """How many elements of the input of a reduction equal its result."""
        operand = self.operands(function)["self"]
        value, result = self._of(operand), self.value((function, 0))
        return 1 if value is None or result is None else int((value == result).sum()) or 1

    def _unknown_inputs(self, function: str) -> list[Pair]:
        pairs = [operand.pair for operand in self.operands(function).values() if operand.pair is not None]
        return [pair for pair in pairs if pair not in self._values]

    def _recorded(self, pair: Pair) -> SmallTensor | None:
        tensor = self.tensor(pair)
        if tensor is not None:
            return small_tensor(tensor["before"]["data"])
        function = self.function(pair[0])
        return None if pair[1] else small_tensor(function["before"]["data"])

    def shape(self, pair: Pair) -> tuple[int, ...] | None:
        """The shape of a tensor; None if unknown."""
        recorded = self._recorded(pair)
        tensor = self.tensor(pair)
        if recorded is not None:
            return recorded.shape
        if tensor is not None:
            return tuple(tensor["shape"])
        arrived = None if pair[0] in self._topology.several else small_tensor(self.function(pair[0])["gradient"])
        return None if arrived is None else arrived.shape

    def _find_operands(self, function: str) -> dict[str, KnownOperand]:
        row = self.function(function)
        elementary = find_elementary(row)
        known: dict[str, Any] = dict(elementary.defaults) if elementary is not None else {}
        known |= row["attributes"]
        found = {
            name: KnownOperand(value=numpy.array(float(value)))
            for name, value in known.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        }
        for saved in row["saved"]:
            if saved["tensor"] is not None:
                tensor = self.nodes[saved["tensor"]]
                found[saved["name"]] = KnownOperand(None, saved["tensor"], small_tensor(tensor["before"]["data"]))
        names = self.inputs(function)
        for target, edge in self.edges(function):
            if edge["slot"] < len(names):
                found[names[edge["slot"]]] = KnownOperand((target, edge["input_nr"]))
        self._add_missing(function, elementary, found)
        return found

    def _add_missing(self, function: str, elementary: Elementary | None, found: dict[str, KnownOperand]) -> None:
        """Add a constant that torch does not save, such as the 1 of `x + 1`: it follows from the output."""
        result = self._recorded((function, 0))
        if elementary is None or result is None:
            return
        for name, text in elementary.missing.items():
            if name in found:
                continue
            arrays = {key: value for key, item in found.items() if (value := self._of(item)) is not None}
            value = evaluate(text, arrays | {"result": result})
            if value is not None:
                found[name] = KnownOperand(value=_without_rounding(value, [result, *arrays.values()]))
            return  # two missing inputs cannot be computed

    def _of(self, operand: KnownOperand) -> SmallTensor | None:
        return operand.value if operand.pair is None else self.value(operand.pair)


def evaluate(text: str, operands: dict[str, SmallTensor]) -> SmallTensor | None:
    """Evaluate an expression of the table at its operands; None if one of them is unknown."""
    code = compiled(text)
    names = [name for name in code.co_names if name not in NUMERIC and name not in CONSTANTS]
    if any(name not in operands for name in names):
        return None
    return elementwise(_numeric(text), {name: operands[name] for name in names})


@functools.cache
def compiled(text: str) -> CodeType:
    """The compiled code of an expression of the table."""
    return compile(text, "<expression>", "eval")


@functools.cache
def _numeric(text: str) -> Callable[..., float]:
    code = compiled(text)
    functions = {**NUMERIC, **CONSTANTS, "__builtins__": {}}

    def evaluate_numbers(**operands: float) -> float:
        result: float = eval(code, functions, operands)  # safe: only texts of the table in `elementary`
        return result

    return evaluate_numbers


def _reduced(reduction: Reduction, operands: dict[str, SmallTensor]) -> SmallTensor | None:
    terms = evaluate(reduction.term, operands)
    if terms is None:
        return None
    total = {
        "total": numpy.array(reduction.combine(terms.ravel().tolist())),
        "n": numpy.array(float(terms.size)),
    }
    return evaluate(reduction.finish, total)


def _without_rounding(value: SmallTensor, operands: list[SmallTensor]) -> SmallTensor:
    """A constant computed by subtraction, rounded to what the script probably contains: 0.1, not 0.09999990463."""
    noise = _FLOAT32_STEP * max((float(numpy.abs(operand).max(initial=0.0)) for operand in operands), default=0.0)
    return numpy.reshape([_shortest(item, noise) for item in value.ravel().tolist()], value.shape)


def _shortest(number: float, noise: float) -> float:
    if number != number or abs(number) == float("inf"):
        return number
    for digits in range(1, 8):
        short = float(f"{Decimal(number):.{digits}g}")
        if abs(short - number) <= noise:
            return short
    return number
