"""A backward call while the engine runs: one that is recorded, or one that is only counted."""

from __future__ import annotations

import contextlib
from typing import Any

from msgspec import Struct

from inspector.graph.row_types import Source
from inspector.graph.values import Unknown
from inspector.recording.gradient_hooks import GradientCapture
from inspector.recording.nested_calls import NestedCalls
from inspector.recording.training.parameter_inventory import Grads
from inspector.report import Setting
from inspector.tracing.snapshot import GraphSnapshot
from inspector.tracing.traced_graph import Pair
from inspector.tracing.walk import AutogradNode


class CallInfo(Struct, frozen=True):
    """The facts about a backward call that are known when it begins, see `BackwardCall`.

    accumulates: whether it adds to grads. setting: what of it is known.
    cuts_of_roots: indices of the cuts that the data of a root without a grad_fn went through.
    is_small: see `watch_plan.is_small`.
    """

    index: int
    accumulates: bool
    location: Source | Unknown
    setting: Setting
    wanted: list[Pair | None] | None
    cuts_of_roots: frozenset[int]
    is_small: bool


class CountedCall(Struct, frozen=True):
    """A backward call that has begun and is only counted.

    accumulates: whether it adds to grads. known: under create_graph on a device, the Nodes from before the call;
    None otherwise.
    """

    index: int
    accumulates: bool
    known: frozenset[AutogradNode] | None


class EngineWatch(Struct, frozen=True):
    """What sees the engine while it runs.

    capture: the gradients. nested: the engine calls that Nodes make in their backward.
    """

    capture: GradientCapture
    nested: NestedCalls


class OpenCall(Struct):
    """A recorded backward call that has begun: what is needed when it ends.

    outputs: the roots that have a graph. captured: the tensors whose gradients `torch.autograd.grad` returns.
    pause: open while line tracing is paused and the hooks are installed.
    created_from: under create_graph, the Nodes of the initial gradients; None otherwise.
    """

    head: CallInfo
    tracing: GraphSnapshot
    watch: EngineWatch
    outputs: list[Any]
    captured: list[Pair | None]
    pause: contextlib.ExitStack
    grads: Grads | None
    created_from: list[AutogradNode] | None
