"""A backward call that is under way: what was seen before it, and what is needed when it has ended."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from inspector.graph.row_types import Source
from inspector.graph.values import Unknown
from inspector.recording.gradient_hooks import GradientCapture
from inspector.recording.training.parameter_inventory import Grads
from inspector.report import Mode
from inspector.report.row_types import Alive
from inspector.tracing.snapshot import GraphSnapshot
from inspector.tracing.traced_graph import Pair
from inspector.tracing.walk import AutogradNode


@dataclass(frozen=True, slots=True)
class CallInfo:
    """What is known of a backward call when it begins, see `BackwardCall`."""

    index: int
    location: Source | Unknown
    recording: Mode
    scale: float | None
    wanted: list[Pair | None] | None
    cuts_of_roots: frozenset[int]  # indices of the cuts that the data of a root without a grad_fn went through
    alive: list[Alive]


@dataclass(slots=True)
class OpenCall:
    """A backward call that is under way."""

    head: CallInfo
    tracing: GraphSnapshot
    capture: GradientCapture
    outputs: list[Any]
    captured: list[Pair | None]
    pause: contextlib.ExitStack  # of the tracing of lines, while the engine runs and our hooks with it
    grads: Grads | None
    created_from: list[AutogradNode] | None  # under create_graph: the Nodes of what backward starts with
