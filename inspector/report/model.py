"""The result of an inspection in plain values: the Report and its backward calls."""

from __future__ import annotations

from dataclasses import dataclass, field

from inspector.graph import Graph
from inspector.graph.row_types import Source
from inspector.graph.values import Unknown
from inspector.report.row_types import (
    Alive,
    Check,
    Contained,
    CutRow,
    EventRow,
    Exit,
    Finding,
    LeafRow,
    Mode,
    ModuleRow,
    OptimizerRow,
    ParameterRow,
    Recording,
    WriteRow,
)


@dataclass(frozen=True)
class Inventory:
    """What the script has beside graphs; each a row of report.json."""

    parameters: list[ParameterRow] = field(default_factory=list)
    modules: list[ModuleRow] = field(default_factory=list)
    optimizers: list[OptimizerRow] = field(default_factory=list)
    leaves: list[LeafRow] = field(default_factory=list)


@dataclass(frozen=True)
class Setting:
    """What surrounds a backward call.

    recording: how its forward was recorded. scale: what a GradScaler had multiplied the root by, None if nothing.
    wanted: ids of the tensors whose gradients were asked for (`torch.autograd.grad`, `backward(inputs=…)`), None
        for all leaves.
    contains: which earlier calls' Nodes its graph contains; alive: which earlier graphs still lived when it began.
    """

    recording: Mode = "none"
    scale: float | None = None
    wanted: list[str] | None = None
    contains: list[Contained] = field(default_factory=list)
    alive: list[Alive] = field(default_factory=list)


@dataclass(frozen=True)
class BackwardCall:
    """One call of backward (or `torch.autograd.grad`) that was watched.

    index: 1 for the first call of the script.
    location: {"file", "line", "code"} of the call in the user's code, or unknown.
    cuts: where the forward left the graph (`detach`, `no_grad`, …); writes: in-place writers.
    whole: the name of the file beside report.json that holds all Nodes, where the graph is folded for its size.
    """

    index: int
    location: Source | Unknown
    graph: Graph
    cuts: list[CutRow] = field(default_factory=list)
    writes: list[WriteRow] = field(default_factory=list)
    setting: Setting = field(default_factory=Setting)
    whole: str | None = None


@dataclass(frozen=True)
class Report:
    """A whole inspection, as `report.json` holds it.

    script: the script's file name, or the module's name, as it was given.
    events: what happened around the backward calls, in order: steps, zero_grad, clipping.
    """

    script: str
    exit: Exit
    recording: Recording
    calls: list[BackwardCall]
    inventory: Inventory = field(default_factory=Inventory)
    events: list[EventRow] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    checked: list[Check] = field(default_factory=list)
