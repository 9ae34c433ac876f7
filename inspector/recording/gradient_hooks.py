"""Record gradients: hooks on every Node of a walk, during one backward call.

The same few hook functions serve all Nodes and ask the engine for the current one: creating one function per Node
would take as long as running it. They reduce a gradient at once (`tensor_stats.Batch`) and keep no reference to
it, because a reference would make torch copy the gradient of every parameter instead of moving it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch

from inspector.graph.node_kinds import has_one_output
from inspector.tensor_stats import Batch, NormFacts, Pending, PendingNorm, RowNorms, quick_norm
from inspector.torch_api.compilation import skip_in_dynamo, without_dynamo
from inspector.torch_api.engine import CURRENT_NODE, HooksByKey, hook_carrier, register_shared
from inspector.torch_api.modes import unobserved
from inspector.tracing.gradient_flow import GradientFlow
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.walk import AutogradNode, Walk

_OUTSIDE_OF_NODES = "compiled autograd ran backward, which runs hooks outside of Nodes"

Gradients: TypeAlias = tuple[torch.Tensor | None, ...]


class CreationWatch(NamedTuple):
    """Callbacks of a call under create_graph.

    runs: called with the position of each Node before it runs. flows: called with gradients, which have Nodes of
    their own there, and their values.
    """

    runs: Callable[[int], None]
    flows: Callable[[Gradients, Sequence[Pending]], None]


class _Measures(NamedTuple):
    """How gradients are measured: their values with `flowing`, and their rows."""

    batch: Batch
    rows: RowNorms
    flowing: Callable[[Gradients], list[Pending]]


class GradientCapture:
    """Fills a GradientFlow while the engine runs. creation: the callbacks of a call under create_graph."""

    def __init__(self, batch: Batch, creation: CreationWatch | None = None) -> None:
        self._creation = creation
        self.flow = GradientFlow()
        self._batch = batch
        self._index: dict[AutogradNode, int] = {}
        self._shared: dict[int, Callable[..., None]] = {}
        self._hooks = HooksByKey()
        self._errors: list[Exception] = []
        self._rows = RowNorms(batch)

    def install(self, walk: Walk, *, runs_all: bool) -> None:
        """Install hooks on every Node: for incoming gradients, and in a full recording also for outgoing ones.

        runs_all: the call is for all leaves, so that the engine runs every Node.
        """
        self._index |= walk.index
        names = enumerate(walk.structure.names)
        self._rows.left_out.update(position for position, name in names if name == ACCUMULATE_GRAD)
        current_node = CURRENT_NODE.parts
        if current_node is None:
            self._install_one_by_one(walk)
            return
        one, several = self._incoming(current_node)
        if self._batch.level == "light" and runs_all:
            self._install_quickly(walk, one, several)
            return
        self._hooks.add(walk.nodes, several, self._outgoing(current_node))

    def _install_quickly(
        self, walk: Walk, one: Callable[[torch.Tensor | None], None], several: Callable[[Gradients], None]
    ) -> None:
        """Hook a Node with one output as `Tensor.register_hook` does, in a tenth of the time of a prehook.

        torch runs these hooks before the user's prehooks, also where the engine only stops at a Node: they receive
        what `retain_grad` keeps. AccumulateGrad gets a prehook, since such a hook would belong to the leaf and
        stay.
        """
        self._shared[0] = one
        with unobserved():
            carrier = hook_carrier(self._shared)
        named = zip(walk.nodes, walk.structure.names, strict=True)
        self._hooks.add(
            [node for node, name in named if not has_one_output(name) or not register_shared(node, carrier)],
            several,
        )

    def _install_one_by_one(self, walk: Walk) -> None:
        """Fallback if torch does not say which Node is running: a pair of hooks for each."""
        for node in walk.nodes:
            current_node = functools.partial(_same, node)
            self._hooks.add([node], self._incoming(current_node)[1], self._outgoing(current_node))

    def _incoming(
        self, current_node: Callable[[], AutogradNode]
    ) -> tuple[Callable[[torch.Tensor | None], None], Callable[[Gradients], None]]:
        measures = _Measures(self._batch, self._rows, self._measure_flowing)
        told = measures, self._note if self._creation else self.flow.steps.append
        return _incoming_hooks(current_node, self._index, self.flow, told, self._errors)

    def _note(self, position: int) -> None:
        """A Node is about to run."""
        self.flow.steps.append(position)
        if self._creation is not None:
            without_dynamo(self._creation.runs, position)

    @property
    def _measure_flowing(self) -> Callable[[Gradients], list[Pending]]:
        """Returns the values of gradients that flow from one Node to the next."""
        return self._batch.flowing if self._creation is None else self._flowing

    def _flowing(self, gradients: Gradients) -> list[Pending]:
        found = self._batch.flowing(gradients)
        if self._creation is not None:
            self._creation.flows(gradients, found)
        return found

    def _outgoing(
        self, current_node: Callable[[], AutogradNode]
    ) -> Callable[[Gradients, Gradients], None] | None:
        """The hook for outgoing gradients; None in a light recording."""
        if self._batch.level == "light":
            return None
        return _outgoing_hook(current_node, self._index, self.flow, self._measure_flowing, self._errors)

    def remove(self) -> None:
        """Remove the hooks: on an AccumulateGrad they would run in later calls.

        Raises the first exception of a hook; inside the hook it would have ended the user's backward.
        """
        self._shared.clear()
        self._hooks.remove()
        self._index.clear()  # Node -> hook -> index -> Node is a cycle that is never collected
        if self._errors:
            raise self._errors[0]

    def tell_rows(self) -> None:
        """Fill in the rows that stand out. The batch has been read."""
        self.flow.arrived.rows = self._rows.outstanding(self.flow.steps)

    def started(self, pairs: list[tuple[int, int]], gradients: tuple[Any, ...]) -> None:
        """Note the gradients that the engine starts with, each None where torch makes it."""
        for pair, gradient in zip(pairs, gradients, strict=True):
            if pairs.count(pair) == 1 and isinstance(gradient, torch.Tensor):
                self.flow.seeds[pair] = self._batch.add(gradient)

    def captured(self, pairs: list[tuple[int, int] | None], gradients: Any) -> None:
        """Note the result of `torch.autograd.grad`: no hook runs for a tensor that is only captured."""
        for pair, gradient in zip(pairs, gradients, strict=True):
            if pair is not None:
                self.flow.captured[pair] = value = self._batch.add(gradient)
                if self._creation is not None:
                    self._creation.flows((gradient,), (value,))


def _same(node: AutogradNode) -> AutogradNode:
    return node


def _incoming_hooks(
    current_node: Callable[[], AutogradNode],
    index: dict[AutogradNode, int],
    flow: GradientFlow,
    told: tuple[_Measures, Callable[[int], None]],
    errors: list[Exception],
) -> tuple[Callable[[torch.Tensor | None], None], Callable[[Gradients], None]]:
    """The hooks for incoming gradients, which also record the order of the Nodes: the first as
    `Tensor.register_hook` calls it, the second as `Node.register_prehook` calls it.

    current_node: returns the Node that is running. told: of gradients, and of each Node. errors: receives the
    first exception, after which the hooks do nothing; they never raise.
    """
    measures, note = told
    steps, arrived, norms = flow.steps, flow.arrived.gradients, flow.arrived.norms
    is_light = measures.batch.level == "light"

    def one(gradient: torch.Tensor | None) -> None:  # runs for most Nodes
        several((gradient,))

    def several(gradients: Gradients) -> None:
        if errors:
            return
        try:
            position = index.get(current_node())
            if position is None:
                flow.not_recorded = flow.not_recorded or (None if steps else _OUTSIDE_OF_NODES)
                return
            note(position)
            facts = quick_norm(gradients[0], computed=True) if is_light and len(gradients) == 1 else None
            if facts is None or not math.isfinite(facts[2]):
                arrived[position] = without_dynamo(_values, measures, position, gradients, facts)
            else:
                norms[position] = facts
        except Exception as error:
            errors.append(error)

    return one, several


def _values(
    measures: _Measures, position: int, gradients: Gradients, facts: NormFacts | None
) -> list[Pending]:
    """The values of what arrived at a Node; its rows are measured. facts: of its only gradient, if known."""
    batch, rows, flowing = measures
    found: list[Pending] = flowing(gradients) if facts is None else [PendingNorm(*facts)]
    if len(gradients) == 1 and gradients[0] is not None and (batch.level == "full" or gradients[0].is_cpu):
        rows.add(position, gradients[0], found[0])
    return found


def _outgoing_hook(
    current_node: Callable[[], AutogradNode],
    index: dict[AutogradNode, int],
    flow: GradientFlow,
    flowing: Callable[[Gradients], list[Pending]],
    errors: list[Exception],
) -> Callable[[Gradients, Gradients], None]:
    """The hook for outgoing gradients, as `Node.register_hook` calls it. See `_incoming_hooks`."""
    contributions = flow.contributions

    def left(sent: Gradients, _: Gradients) -> None:
        if errors:
            return
        try:
            position = index.get(current_node())
            if position is None:
                return
            for slot, value in enumerate(without_dynamo(flowing, sent)):
                contributions[position, slot] = value
        except Exception as error:
            errors.append(error)

    return left


_NO_NODE, _NO_MEASURES = functools.partial(_same, None), _Measures(Batch(), RowNorms(Batch()), Batch().flowing)
skip_in_dynamo(
    quick_norm,
    *_incoming_hooks(_NO_NODE, {}, GradientFlow(), (_NO_MEASURES, list[int]().append), []),
    GradientCapture._note,
    _outgoing_hook(_NO_NODE, {}, GradientFlow(), _NO_MEASURES.flowing, []),
)
