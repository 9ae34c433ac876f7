"""Track which backward calls contributed to the grad of each leaf."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from msgspec import Struct, field

from inspector.graph.value_norms import is_zero
from inspector.recording.training.leaf_registry import GradState, LeafRegistry, grad_state, grads_of
from inspector.report.row_types import LeafCall, LeafRow
from inspector.tensor_stats import NOTHING, Pending
from inspector.tensor_stats.plain_tensor import plain_tensor, stored
from inspector.torch_api.leaves_in_use import LEAVES_IN_USE
from inspector.torch_api.modes import unobserved
from inspector.torch_api.sharding import flattened_in
from inspector.tracing.gradient_flow import GradientFlow
from inspector.tracing.ids import Ids
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.snapshot import GraphSnapshot
from inspector.tracing.tensor_facts import TensorSnapshot
from inspector.tracing.traced_graph import Pair, TracedGraph
from inspector.user_code.attribute_assignment import assignment
from inspector.user_code.paths import UserFiles
from inspector.user_code.variable_names import Owner

MOST_CALLS = 32
"""Maximum number of calls stored for each leaf."""
_HALF = MOST_CALLS // 2


class _ProvenanceCall(NamedTuple):
    """A recorded call: the leaf's tensor in its graph (or None), and whether the call added to its grad."""

    backward_call: int
    ids: Ids
    tensor: Pair | None
    gradient: bool

    def row(self) -> LeafCall:
        tensor = None if self.tensor is None else self.ids.tensor(self.tensor)
        return {"backward_call": self.backward_call, "tensor": tensor, "gradient": self.gradient}


class _LeafProvenance(Struct):
    """The calls that concern one leaf.

    calls: the recorded calls whose graph contains it. content: the calls that added to its grad since the grad was
    None or zero. grad: its grad when the last call had ended. version: of the leaf in the last call. written:
    whether it changed between two calls.
    """

    calls: list[_ProvenanceCall] = field(default_factory=list)
    content: tuple[int, ...] = ()
    grad: GradState | None = None
    version: Any = None
    written: bool = False

    def add(self, call: _ProvenanceCall) -> None:
        """Add a call. Only the first and the last calls are stored: a long script makes 100,000."""
        self.calls.append(call)
        if call.gradient:
            self.content = _ends_of((*self.content, call.backward_call))
        if len(self.calls) > MOST_CALLS:
            del self.calls[_HALF:-_HALF]


class GradProvenance:
    """The origin of grads, by the numbers of leaves.

    running: the index of the call in progress, which may have added to any grad. is_scaled: whether a GradScaler
    has multiplied a loss.
    """

    def __init__(self, leaves: LeafRegistry, files: UserFiles) -> None:
        self._files = files
        self._assignments: dict[tuple[type, str], Any] = {}
        self.running: int | None = None
        self.is_scaled = False
        self.leaves = leaves
        self._known: dict[int, _LeafProvenance] = {}
        self._before: dict[int, GradState | None] = {}

    def begins(self, index: int, tracing: GraphSnapshot) -> None:
        """A call starts: note the grads of leaves outside of its graph."""
        self.running = index
        if LEAVES_IN_USE.may_be_elsewhere:
            self._before = {}
            return
        self._before = {
            number: grad_state(tensor)
            for number, tensor in enumerate(self.leaves.tensors(range(len(self.leaves))))
            if tensor is not None and tracing.tensors.pair_of(tensor) is None
        }

    def ended(self, index: int, record: TracedGraph, flow: GradientFlow, ids: Ids, for_all: bool) -> None:
        """A call has ended. for_all: whether it was `backward()` for all leaves."""
        names = record.structure.names
        alive = [
            (pair, seen, tensor)
            for pair, seen in record.tensors.items()
            if names[pair[0]] == ACCUMULATE_GRAD and (tensor := seen.reference()) is not None
        ]
        numbers = self.leaves.add_all([tensor for _, _, tensor in alive])
        for number, (pair, seen, tensor) in zip(numbers, alive, strict=True):
            leaf = self._leaf(number)
            if _is_empty(seen.before["grad"]):
                leaf.content = ()
            gradient = _got_gradient(pair[0], seen, flow, for_all)
            leaf.add(_ProvenanceCall(index, ids, pair, gradient))
            leaf.grad = grad_state(tensor) if self.is_scaled else None
            leaf.written |= leaf.version is not None and leaf.version != seen.facts.version
            leaf.version = seen.facts.version
            self._ended_flattened(index, ids, tensor, gradient)
        self._ended_outside(index, ids)

    def _ended_flattened(self, index: int, ids: Ids, flat: torch.Tensor, gradient: bool) -> None:
        """The parameters that a leaf is made of are used where it is, also if this process has no part of them."""
        for number in self.leaves.add_all(flattened_in(flat)):
            leaf = self._leaf(number)
            if self._before.pop(number, None) is None:
                leaf.content = ()
            leaf.add(_ProvenanceCall(index, ids, None, gradient))

    def _ended_outside(self, index: int, ids: Ids) -> None:
        """Leaves outside of the graph get gradients from a nested backward, as in a reentrant checkpoint."""
        if LEAVES_IN_USE.may_be_elsewhere:
            return
        for number, before in self._before.items():
            after = grad_state(self.leaves.tensor(number))
            if after is not None and after != before:
                leaf = self._leaf(number)
                if before is None:
                    leaf.content = ()
                leaf.add(_ProvenanceCall(index, ids, None, True))

    def zeroed(self, numbers: Iterable[int]) -> None:
        """The grads of these leaves are now None or zero."""
        for number in numbers:
            known = self._known.get(number)
            if known is not None:
                known.content = ()

    def content(self, numbers: Sequence[int]) -> dict[tuple[int, ...], list[int]]:
        """The leaves whose grads contain gradients, by the backward calls of these gradients."""
        running = () if self.running is None else (self.running,)  # for a step inside a hook, while backward runs
        found: dict[tuple[int, ...], list[int]] = {}
        known = list(map(self._known.get, numbers))
        if not running and not any(known):
            return found
        grads = grads_of(self.leaves.tensors(numbers))
        for number, leaf, grad in zip(numbers, known, grads, strict=True):
            calls = running if leaf is None else leaf.content + running
            if grad is not None and calls:
                found.setdefault(calls, []).append(number)
            elif leaf is not None and grad is None:
                leaf.content = ()
        return found

    def unscaled(self, numbers: Iterable[int]) -> None:
        """The grads of these leaves are no longer as a call left them."""
        for known in map(self._known.get, numbers):
            if known is not None:
                known.grad = None

    def unchanged(self, numbers: Iterable[int]) -> list[int]:
        """The leaves whose grads are as the last call left them; empty unless `is_scaled`."""
        known = ((number, self._known.get(number)) for number in numbers if self.is_scaled)
        return [
            number
            for number, leaf in known
            if leaf is not None and leaf.grad is not None and leaf.grad == grad_state(self.leaves.tensor(number))
        ]

    def rows(self, optimizers: dict[int, list[int]]) -> list[LeafRow]:
        """Rows for the leaves that a module or an optimizer holds. optimizers: their numbers, by leaf."""
        return [
            self._row(number, optimizers.get(number, []))
            for number in range(len(self.leaves))
            if number in optimizers or self.leaves[number].owner is not None
        ]

    def _row(self, number: int, optimizers: list[int]) -> LeafRow:
        leaf, known = self.leaves[number], self._known.get(number, _LeafProvenance())
        owner = leaf.owner
        return {
            "name": self.leaves.name(number),
            "requires_grad": self.leaves.requires_grad(number),
            "source": self._assignment(owner) or leaf.source,
            "without_graph": leaf.without_graph,
            "model": None if owner is None else owner.model,
            "registered": None if owner is None else owner.keeper is None,
            "ran": leaf.has_run,
            "optimizers": optimizers,
            "written": known.written,
            "calls": [call.row() for call in known.calls],
        }

    def _leaf(self, number: int) -> _LeafProvenance:
        leaf = self._known.get(number)
        if leaf is None:
            leaf = self._known[number] = _LeafProvenance()
        return leaf

    def _assignment(self, owner: Owner | None) -> Any:
        """The statement that assigned a module in a plain list or dict; None for a registered module."""
        if owner is None or owner.keeper is None:
            return None
        if owner.keeper not in self._assignments:
            self._assignments[owner.keeper] = assignment(*owner.keeper, self._files)
        return self._assignments[owner.keeper]


def are_all_zero(grads: Iterable[torch.Tensor]) -> bool | None:
    """Whether all elements are zero; None if that cannot be computed.

    The first grad usually decides. The others are reduced together, since each result on a device must be waited
    for.
    """
    if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
        return None  # the reduction would be captured too
    with unobserved():
        nonzero: dict[torch.device, torch.Tensor] = {}
        for number, grad in enumerate(grads):
            elements, _ = plain_tensor(grad)
            if elements is None:
                return None
            count = stored(elements).count_nonzero()
            if (number == 0 or count.is_cpu) and count:
                return False
            nonzero[count.device] = nonzero.get(count.device, 0) + count
        return not any(map(bool, nonzero.values()))


def _ends_of(calls: tuple[int, ...]) -> tuple[int, ...]:
    return calls if len(calls) <= MOST_CALLS else calls[:_HALF] + calls[-_HALF:]


def _is_empty(grad: Pending) -> bool:
    return grad is NOTHING or grad.is_none or is_zero(grad.value)


def _got_gradient(position: int, seen: TensorSnapshot, flow: GradientFlow, for_all: bool) -> bool:
    """Whether the call added to the grad of a leaf, and the grad was still there when the call had ended."""
    after = seen.after.get("grad")
    if after is None or after.is_none or after.is_unknown:
        return False
    if flow.not_recorded is not None:
        return for_all
    gradients = flow.arrived.gradients.get(position)
    return position in flow.arrived.norms or (gradients is not None and not gradients[0].is_none)
