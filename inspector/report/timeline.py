"""The rows of a timeline: what the flight recorder saw of the steps after the watched backward calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from inspector.graph.row_types import GradientRows, Place, Positive
from inspector.graph.values import Count, Real, Statistic

ColumnKind: TypeAlias = Literal["root", "gradient", "learning_rate", "module", "output", "update"]
Reason: TypeAlias = Literal["budget", "compiled", "graph", "threads"]
TriggerKind: TypeAlias = Literal[
    "root_not_finite",
    "gradient_not_finite",
    "spike",
    "zero_gradient",
    "unmoved",
    "constant_root",
    "zero_rate",
    "scale",
]
NOT_FINITE: tuple[TriggerKind, ...] = ("root_not_finite", "gradient_not_finite")
NOT_RECORDED = "no step after the watched backward calls was recorded"
"""Why rules about the timeline were not checked."""

Numbers: TypeAlias = list[float | None]


class LevelRow(TypedDict):
    """A range of steps and what was recorded of them."""

    level: Literal["full", "parameters", "modules", "nodes"]
    """full: the backward calls were watched in full; parameters: the root, the learning rate and the gradient norm
    of every parameter; modules, nodes: also the norms of what modules returned, and of the gradients there, or at
    every Node."""
    first: Positive
    last: Positive
    every: Positive
    """Gradient norms were recorded in one of so many steps; roots and learning rates in every step."""
    skips: NotRequired[bool]
    """Set if of the other steps only the root was noted, where it was on the CPU: learning rates are unknown,
    too."""
    looks: NotRequired[Positive]
    """Norms at modules or Nodes were recorded in one of so many steps."""
    reason: NotRequired[Reason]
    """Why nothing deeper than parameters was recorded. budget: it takes too long; compiled: torch.compile is in
    use; graph: no Nodes are known, or the steps had others; threads: several threads train."""
    cost: NotRequired[Real]
    """The share of the time of these steps that the recording took."""


class Column(TypedDict):
    """One quantity over the rows of a timeline."""

    kind: ColumnKind
    """root: the value that backward was called on; gradient: the 2-norm of the gradients of some parameters;
    learning_rate: the largest one of an optimizer's groups; module: the 2-norm of the gradients at the outputs of
    a module; output: the 2-norm of what the module returned, over all of its calls in the
    step; update: the 2-norm of what the step added to some parameters."""
    name: str
    """The parameter, the module, the module that holds the parameters, or the optimizer."""
    parameters: list[str]
    """For a gradient or an update: the names of its parameters."""
    middle: Numbers
    """The median of each row's steps, or of a sum of rows the mean of their medians; null: none was recorded, or
    none was finite."""
    low: NotRequired[Numbers]
    """The smallest finite value in each row; omitted if every row is one step."""
    high: NotRequired[Numbers]
    """The largest finite value in each row; omitted if every row is one step."""
    not_finite: NotRequired[list[list[Count]]]
    """[row, number of its steps whose value was NaN or infinite], for rows with such steps."""


class Window(TypedDict):
    """The steps around a trigger, one by one."""

    first: Positive
    columns: list[Numbers]
    """The values of every column, in the order of the columns; null: not recorded or not finite."""


class NodePlace(TypedDict):
    """A Node, or a module."""

    name: str | None
    """The name of the Node; null for a module."""
    module: str | None
    """The path of the module that created it; null outside of modules and if it is not known."""
    source: Place
    """Its line, by the recorded call with the same Nodes."""


class SampleRows(GradientRows):
    """The samples of a batch that stand out in the gradient at the first layer."""

    tensor: str | None
    """The script's name of the input whose rows they are."""


class Trigger(TypedDict):
    """Something that went wrong at a step."""

    kind: TriggerKind
    step: Positive
    """The first step concerned."""
    backward_call: Positive | None
    """The last backward call before this step ended; null if it is not known."""
    parameters: list[str]
    value: Statistic
    """The root, the norm, the learning rate or the scale."""
    usual: NotRequired[Real]
    """For a spike: the median of the steps before."""
    node: NotRequired[NodePlace]
    """The first Node or module in backward that received good gradients and sent others, if the step was looked
    into."""
    rows: NotRequired[SampleRows]
    """The samples that stand out in the gradient of this step, if it was looked into and some do."""
    steps: NotRequired[Positive]
    """For how many recorded steps it lasted, up to the end of the recording."""


class Timeline(TypedDict):
    """The steps of the run: the columns have one value for each row, and a row is one step or several.

    A step is what an optimizer calls a step; where there is no optimizer, a backward call.
    """

    unit: Literal["optimizer", "backward"]
    steps: Count
    """Number of steps."""
    calls: Count
    """Number of backward calls, with those that were watched in full."""
    budget: Real
    """The share of the run's time that the recording may take (`--budget`)."""
    cost: Real
    """The share that it took, by the clock of the recorder, of the time since the watched calls; without calls
    that were recorded in full."""
    levels: list[LevelRow]
    other_graphs: NotRequired[Count]
    """Number of steps that were to be looked into, but whose graph has other Nodes than each recorded call."""
    first_gradients: NotRequired[dict[str, Positive]]
    """The parameters of which only steps after the watched calls used a gradient that is not zero, with the first
    of these steps that was recorded."""
    so_far: NotRequired[bool]
    """Set if the script was still running when this was written."""
    stopped: NotRequired[bool]
    """Set if the recording ended before the script, since it took more than the budget."""
    last_root: Statistic
    """The value of the last root that was recorded; null if no root was a number."""
    rows: list[Count]
    """The number of steps in each row, in order."""
    columns: list[Column]
    windows: list[Window]
    triggers: list[Trigger]
    """What went wrong, in the order of the steps."""


def first_step(triggers: Sequence[Trigger]) -> int | None:
    """The step to look at: of the first value that is not finite, else of the first trigger; None without any."""
    not_finite = [found["step"] for found in triggers if found["kind"] in NOT_FINITE]
    return min(not_finite or [found["step"] for found in triggers], default=None)
