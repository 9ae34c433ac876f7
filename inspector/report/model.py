"""What an inspection found, in plain values: the Report and its backward calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from inspector.graph import Graph
from inspector.graph.values import Value

if TYPE_CHECKING:
    from typing import NotRequired


class Exit(TypedDict):
    """How the script ended."""

    status: int | None  # None while it still runs
    exception: str | None  # `ValueError: too many values`, None if nothing was raised


Mode: TypeAlias = Literal["full", "light", "none"]
"""full: op by op; light: modules, lines and gradients; none: structure."""


class Recording(TypedDict):
    """What was watched."""

    mode: Mode
    watched: int  # how many backward calls were watched
    drawn: list[int]  # the indexes of those that are drawn
    remarks: NotRequired[list[str]]  # why something of the forward was not seen, if so


class Finding(TypedDict):
    """One defect, at its cause."""

    rule: str
    severity: Literal["error", "warning", "note"]
    message: str
    advice: str
    location: Any  # Source, None where it has no line, or unknown
    backward_call: int | None
    nodes: list[str]
    parameters: list[str]
    evidence: dict[str, Value]


class Check(TypedDict):
    """A rule that gave no finding: because nothing was wrong, or because it could not look."""

    rule: str
    status: Literal["nothing found", "not checked"]
    reason: str | None  # why it could not look


@dataclass(frozen=True)
class Inventory:
    """What the script has beside graphs; each a row of report.json."""

    parameters: list[dict[str, Any]] = field(default_factory=list)
    modules: list[dict[str, Any]] = field(default_factory=list)
    optimizers: list[dict[str, Any]] = field(default_factory=list)
    leaves: list[dict[str, Any]] = field(default_factory=list)


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
    contains: list[dict[str, Any]] = field(default_factory=list)
    alive: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class BackwardCall:
    """One call of backward (or `torch.autograd.grad`) that was watched.

    index: 1 for the first call of the script.
    location: {"file", "line", "code"} of the call in the user's code, or unknown.
    cuts: where the forward left the graph (`detach`, `no_grad`, …); writes: in-place writers.
    whole: the name of the file beside report.json that holds all Nodes, where the graph is folded for its size.
    """

    index: int
    location: Any
    graph: Graph
    cuts: list[dict[str, Any]] = field(default_factory=list)
    writes: list[dict[str, Any]] = field(default_factory=list)
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
    events: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    checked: list[Check] = field(default_factory=list)
