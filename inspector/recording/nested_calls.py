"""Engine calls in the backward of a Node, as a reentrant checkpoint makes them: the graphs that they run through.

The Node itself creates such a graph and runs it; here it is walked, and its gradients are seen by hooks.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch
from msgspec import Struct, field
from torch import nn

from inspector.graph.row_types import InnerOperation, InnerPart
from inspector.graph.values import Unknown, unknown
from inspector.recording.gradient_hooks import GradientCapture
from inspector.tensor_stats import Batch, Pending
from inspector.torch_api.engine import CURRENT_NODE, EngineArguments
from inspector.torch_api.reentrant import checkpoint_inputs, is_python_function
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.roots import gradient_edge
from inspector.tracing.walk import EMPTY, AutogradNode, Structure, Walk, walk
from inspector.user_code.module_tree import module_tree

MOST_NODES = 2_000
"""Maximum number of Nodes in the graphs of one Node."""
_TOO_MANY = unknown(f"more than {MOST_NODES:,} Nodes")


class CreatedNodes(Protocol):
    """What is known of the Nodes that a backward created, by their sequence numbers."""

    def module(self, sequence_nr: int) -> str | Unknown | None: ...

    def outermost_ran(self, sequence_nrs: Iterable[int]) -> list[nn.Module]: ...


class _NestedCall(Struct):
    """One engine call, and those that its own Nodes make, by position.

    slots: position of an AccumulateGrad → the slots of the calling Node to which its gradient goes; None if that
    is unknown. leaves: position of an AccumulateGrad → the name of its leaf.
    """

    structure: Structure
    capture: GradientCapture
    slots: dict[int, list[int]] | None
    leaves: dict[int, str | None]
    inner: dict[int, list[_NestedCall]] = field(default_factory=dict)


class NestedCalls:
    """Records the engine calls that the Nodes of one recorded call make in their backward.

    outer: the graph of that call. batch: receives the gradients. leaf_name: the script's name of a leaf.
    """

    def __init__(self, outer: Walk, batch: Batch, leaf_name: Callable[[torch.Tensor], str | None]) -> None:
        self._batch, self._leaf_name = batch, leaf_name
        self._captures: list[GradientCapture] = []
        self._found: dict[int, list[_NestedCall]] = {}
        self._open: list[tuple[dict[AutogradNode, int], dict[int, list[_NestedCall]]]] = [
            (outer.index, self._found)
        ]

    def begins(self, call: EngineArguments) -> Callable[[], None] | None:
        """An engine call begins. Returns a function to call when it has ended; None if it is not recorded."""
        node = None if CURRENT_NODE.parts is None else CURRENT_NODE.parts()
        index, calls = self._open[-1]
        position = None if node is None or not is_python_function(node) else index.get(node)
        edges = [edge for output in call.outputs if (edge := gradient_edge(output)) is not None]
        if position is None or not edges:
            return None
        graph = walk(edges)
        if len(graph.nodes) > MOST_NODES:
            return None
        capture = GradientCapture(self._batch)
        self._captures.append(capture)
        capture.install(graph, runs_all=call.accumulates and not call.inputs)
        slots = _slots(graph, checkpoint_inputs(sys._getframe(1)))
        made = _NestedCall(graph.structure, capture, slots, self._names(graph))
        calls.setdefault(position, []).append(made)
        self._open.append((graph.index, made.inner))
        return functools.partial(self._ended, capture)

    def _names(self, graph: Walk) -> dict[int, str | None]:
        return {position: self._leaf_name(leaf) for position, leaf in _leaves(graph)}

    def _ended(self, capture: GradientCapture) -> None:
        self._open.pop()
        capture.remove()

    def ends(self) -> None:
        """The recorded call has ended: forget its Nodes, and remove the hooks that an internal error has left."""
        for capture in self._captures:
            with contextlib.suppress(Exception):  # of a hook, which has been told where its call ended
                capture.remove()
        self._captures.clear()
        del self._open[1:]
        self._open[0] = ({}, {})

    def rows(self, created: CreatedNodes | None) -> dict[int, InnerPart | Unknown]:
        """What the Nodes ran, by their positions. The batch has been read."""
        modules = None if created is None else _Modules(created, self._leaf_name)
        return {position: _part(calls, modules) for position, calls in self._found.items()}


def _leaves(graph: Walk) -> list[tuple[int, torch.Tensor]]:
    names = enumerate(graph.structure.names)
    found = [(position, graph.nodes[position].variable) for position, name in names if name == ACCUMULATE_GRAD]
    return [(position, leaf) for position, leaf in found if isinstance(leaf, torch.Tensor)]


def _slots(graph: Walk, inputs: list[torch.Tensor] | None) -> dict[int, list[int]] | None:
    """Position of an AccumulateGrad → the slots that its gradient goes to."""
    if inputs is None:
        return None
    numbers = {id(item): slot for slot, item in enumerate(inputs)}
    return {position: [numbers[id(leaf)]] for position, leaf in _leaves(graph) if id(leaf) in numbers}


# ---- rows -------------------------------------------------------------------------------------------------


class _Modules:
    """The modules of Nodes that a backward created, by their paths in the script's model: the outermost module
    that ran there is one of its blocks, whose path is that of its parameters."""

    def __init__(self, created: CreatedNodes, leaf_name: Callable[[torch.Tensor], str | None]) -> None:
        self._created, self._leaf_name = created, leaf_name
        self._prefixes: dict[int, str] = {}

    def module(self, sequence_nr: int) -> str | Unknown | None:
        found = self._created.module(sequence_nr)
        if not isinstance(found, str):
            return found
        prefixes = [self._prefix(module) for module in self._created.outermost_ran([sequence_nr])]
        return ".".join(part for part in (*prefixes, found) if part)

    def _prefix(self, module: nn.Module) -> str:
        key = id(module)
        if key not in self._prefixes:
            path, parameter = next(iter(module_tree(module).parameters), ("", None))
            name = None if parameter is None else self._leaf_name(parameter)
            self._prefixes[key] = name.removesuffix(path).rstrip(".") if name and name.endswith(path) else ""
        return self._prefixes[key]


def _part(calls: list[_NestedCall], created: _Modules | None) -> InnerPart | Unknown:
    """The operations of some calls of one Node, in the order in which the engine ran them."""
    if sum(map(_size, calls)) > MOST_NODES:
        return _TOO_MANY
    rows = _Rows(created)
    returned: dict[int, int] | None = {}
    receives: list[int] = []
    for call in calls:
        starts, ends = rows.add(call, [])
        receives += starts
        returned = None if returned is None or ends is None else returned | ends
    part: InnerPart = {"operations": rows.operations, "receives": receives}
    if returned is not None:
        part["returns"] = [returned.get(slot) for slot in range(max(returned, default=-1) + 1)]
    return part


def _size(call: _NestedCall) -> int:
    return len(call.structure) + sum(_size(inner) for calls in call.inner.values() for inner in calls)


class _Rows:
    """The rows of the operations, of which those of a call inside come after the Node that made it."""

    def __init__(self, created: _Modules | None) -> None:
        self.operations: list[InnerOperation] = []
        self._created = created

    def add(self, call: _NestedCall, senders: list[int]) -> tuple[list[int], dict[int, int] | None]:
        """Add the operations of a call.

        senders: the operations that its roots get their gradients from. Returns the operations at its roots, and
        slot of the calling Node → the operation whose gradient goes there, None if that is unknown.
        """
        structure, roots = call.structure, {position for position, _ in call.structure.roots}
        arriving: dict[int, list[int]] = {position: list(senders) for position in roots}
        starts: list[int] = []
        ends: dict[int, int] = {}
        for position in dict.fromkeys(call.capture.flow.steps):
            number = len(self.operations)
            self.operations.append(self._row(call, position, sorted(set(arriving.get(position, ())))))
            if position in roots:
                starts.append(number)
            ends |= dict.fromkeys((call.slots or {}).get(position, ()), number)
            by_slot = self._inside(call, position, number)
            for slot, target, _ in structure.edges_of(position):
                if target != EMPTY:
                    arriving.setdefault(target, []).append(by_slot.get(slot, number))
        return starts, None if call.slots is None else ends

    def _inside(self, call: _NestedCall, position: int, number: int) -> dict[int, int]:
        """Add the calls that a Node makes. Returns slot → the operation whose gradient goes there."""
        found: dict[int, int] = {}
        for inner in call.inner.get(position, ()):
            found |= self.add(inner, [number])[1] or {}
        return found

    def _row(self, call: _NestedCall, position: int, inputs: list[int]) -> InnerOperation:
        name, is_leaf = call.structure.names[position], position in call.leaves
        number, created = call.structure.sequence_nrs[position], self._created
        row: InnerOperation = {
            "name": name,
            "inputs": inputs,
            "module": None if is_leaf or created is None else created.module(number),
            "source": None,
        }
        if is_leaf:
            row["leaf"] = call.leaves[position]
        arrived = call.capture.flow.arrived.at(position)
        if arrived is not None and len(arrived) == 1:
            pending: Pending = arrived[0]
            row["gradient"] = pending.value
        return row


def no_nested_calls() -> dict[int, Any]:
    """The default where recording them failed."""
    return {}
