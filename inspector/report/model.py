"""The result of an inspection in plain values: the Report and its backward calls."""

from __future__ import annotations

from msgspec import Struct, field

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
    ProcessRank,
    Recording,
    StatementRow,
    WrapperRow,
    WriteRow,
)
from inspector.report.timeline import Timeline


class Inventory(Struct, frozen=True):
    """The script's modules, parameters and optimizers, and its statements without effect: rows of report.json."""

    parameters: list[ParameterRow] = field(default_factory=list)
    modules: list[ModuleRow] = field(default_factory=list)
    optimizers: list[OptimizerRow] = field(default_factory=list)
    leaves: list[LeafRow] = field(default_factory=list)
    statements: list[StatementRow] = field(default_factory=list)


class Setting(Struct, frozen=True):
    """The circumstances of a backward call.

    recording: how its forward was recorded. scale: the scale of a GradScaler, or None.
    step: the step of the timeline, for a call that the flight recorder recorded.
    wanted: ids of the tensors whose gradients were requested (`torch.autograd.grad`, `backward(inputs=…)`), or
    None for all leaves.
    contains: the earlier calls whose Nodes its graph contains; alive: the earlier graphs still alive when it
    started.
    step_of: the index of the call that trains in the same step; None for that call, and if none followed.
    wrappers: the DistributedDataParallel modules that hold its parameters.
    """

    recording: Mode = "none"
    scale: float | None = None
    wanted: list[str] | None = None
    contains: list[Contained] = field(default_factory=list)
    alive: list[Alive] = field(default_factory=list)
    step_of: int | None = None
    step: int | None = None
    wrappers: list[WrapperRow] = field(default_factory=list)


class BackwardCall(Struct, frozen=True):
    """One recorded call of backward (or `torch.autograd.grad`).

    index: 1 for the first call of the script; calls that were not recorded count too.
    location: {"file", "line", "code"} of the call in user code, or unknown.
    cuts: places where the forward left the graph (`detach`, `no_grad`, …); writes: in-place writes.
    whole: name of the file beside report.json with all Nodes, if the graph is stored folded because of its size.
    """

    index: int
    location: Source | Unknown
    graph: Graph
    cuts: list[CutRow] = field(default_factory=list)
    writes: list[WriteRow] = field(default_factory=list)
    setting: Setting = field(default_factory=Setting)
    whole: str | None = None


class ScriptRun(Struct, frozen=True):
    """The script, and how it ended.

    name: the file name, or the module's name, as given. title: what the script calls itself; empty if it does not.
    rank: which of several processes of a launcher it was; None for a single one.
    """

    name: str
    exit: Exit
    title: str = ""
    rank: ProcessRank | None = None


class Report(Struct, frozen=True):
    """A whole inspection, as in `report.json`.

    events: events around the backward calls, in order: steps, zero_grad, clipping.
    timeline: the steps after the watched calls, if they were recorded.
    """

    script: ScriptRun
    recording: Recording
    calls: list[BackwardCall]
    inventory: Inventory = field(default_factory=Inventory)
    events: list[EventRow] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    checked: list[Check] = field(default_factory=list)
    timeline: Timeline | None = None
