"""The rows of report.json outside of graphs: calls, cuts, events, parameters and so on.

As in `inspector.graph.row_types`, the schema and the checks are generated from these types.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct
from typing_extensions import NotRequired, TypedDict, final

from inspector.graph.row_types import EdgeRow, Id, LibraryLine, NodeRow, Place, Positive, Source
from inspector.graph.values import Count, Real, Shape, Statistic, Unknown
from inspector.options import choices
from inspector.report.timeline import Timeline

SCHEMA = 1
"""The version of report.json that is written, and the newest version that can be read."""

Mode: TypeAlias = choices.Mode
"""full: op by op; light: modules, lines and gradients; none: structure."""
Severity: TypeAlias = Literal["error", "warning", "note"]


class Exit(TypedDict):
    """How the script ended."""

    status: int | None
    """The script's exit status; null while it is running."""
    exception: str | None
    """The exception the script raised, as one line with masked addresses."""


class ProcessRank(TypedDict):
    """One of several processes of a launcher."""

    number: Count
    """From 0."""
    world: Positive
    """Number of processes."""


class Recording(TypedDict):
    """What was recorded."""

    mode: Mode
    """full: op by op; light: modules, lines and gradients; none: structure."""
    watched: Count
    """Number of recorded backward calls."""
    drawn: list[Positive]
    """The indexes of the drawn calls."""
    remarks: NotRequired[list[str]]
    """Why calls or parts of the forward were not recorded, if so."""


@final
class Fault(TypedDict):
    """The faulty line."""

    file: str
    """Relative to the script's folder, `site-packages/…`, or a base name."""
    line: Count
    code: str
    """The source line or statement."""
    library: NotRequired[LibraryLine]
    """The line of a library that did it, if the user's line called a library."""
    part: NotRequired[str]
    """The part of the code that is at fault."""


class Finding(Struct):
    """One defect, at its cause."""

    rule: str
    """The rule; see `inspect explain RULE`."""
    severity: Severity
    message: str
    advice: str
    location: Fault | Source | Unknown | None
    """The faulty line. part: the part of the code that is at fault."""
    backward_call: Positive | None
    nodes: list[Id]
    parameters: list[str]
    evidence: dict[str, Any]
    """The values on which the rule based the finding."""


class Check(Struct):
    """A rule without findings: because nothing was wrong, or because it was not checked."""

    rule: str
    status: Literal["nothing found", "not checked"]
    reason: str | None
    """Why it was not checked."""


class CutRow(TypedDict):
    """A place where a tensor that requires a gradient gave one that does not."""

    kind: Literal[
        "detach",
        "data",
        "item",
        "numpy",
        "tolist",
        "tensor",
        "comparison",
        "integer",
        "no_derivative",
        "grad",
        "no_grad",
        "inference_mode",
        "frozen_inputs",
        "sample",
        "parameter",
    ]
    """no_derivative: by an operation that torch cannot differentiate; grad: `torch.autograd.grad` without
    create_graph; frozen_inputs: in a custom Function (a reentrant checkpoint) none of whose inputs requires a
    gradient; sample: in `sample()` of a distribution that has `rsample()`; parameter: by a new nn.Parameter."""
    operation: str
    source: Place
    direct: bool
    """Whether user code called the operation itself."""
    name: NotRequired[str | None]
    """The source text of the tensor."""
    assigned: NotRequired[str | None]
    """The target to which the statement assigns the result."""
    code: NotRequired[str | None]
    """The source text of the expression."""
    tensor: NotRequired[Id | None]
    """The tensor, if it is in this graph."""
    count: Positive
    leaves: list[str] | None
    """The leaves that a gradient would have reached; null: too many Nodes to search."""
    region: Place
    """The place where gradients were turned off, if that is the reason."""
    into: list[Id]
    """The functions that used the data."""
    root: bool
    """Whether a root without a grad_fn contains the data."""
    beyond: list[str] | None
    """Those of the leaves that still require a gradient and are not under the roots of this call."""
    early: bool
    """Whether it happened before the root was created."""


class Overwritten(TypedDict):
    """A saved tensor in the overwritten storage, of a Node that is older than the write."""

    node: Id
    name: str
    """The Node's name for it: self, result, ..."""
    overlaps: bool
    """Whether the write changed its elements, and not only other parts of the storage."""


class WriteRow(TypedDict):
    """One in-place write."""

    operation: str
    """torch's name: mul_, __setitem__; data.__set__ for `h.data = x`; numpy for a write through an array that
    shares the memory, detected by the values, with the line from the source text."""
    source: Place
    direct: bool
    """Whether user code called it itself."""
    name: str | None
    """The source text of the overwritten tensor."""
    code: str | None
    """The source text of the operation."""
    tensor: Id | None
    """The tensor of the graph that it was before; null for a tensor outside of the graph."""
    before: Count
    """Its version before the write."""
    after: Count
    """Its version after the write; the same if the write bypassed the version counter."""
    saved: list[Overwritten]
    """The saved tensors in the overwritten storage, of Nodes that are older than the write."""
    assigned: NotRequired[str | None]
    """The target to which the statement assigns the result."""


class GradContent(TypedDict):
    """Parameters whose grads held the gradients of these backward calls."""

    backward_calls: list[Positive]
    parameters: list[str]


class EventRow(TypedDict):
    """An event around the backward calls."""

    event: Literal[
        "step", "skipped_step", "zero_grad", "clip", "unscale", "refused", "without_graph", "read_grad", "hook"
    ]
    """refused: an optimizer was given a non-leaf tensor (source: where it was created). without_graph: backward
    was called on roots that do not require a gradient (parameters: tensors that do not require one but whose
    grad the script reads). read_grad: the script read the grad of a non-leaf tensor that does not retain it."""
    after_call: Count
    """Number of backward calls that had ended."""
    optimizer: Count | None
    """Its number in optimizers, from 0; null if there is none."""
    source: Place
    parameters: NotRequired[list[str]]
    """The parameters that were zeroed or clipped, if known; the leaf that got a hook. Empty for a clip whose
    iterator gave none."""
    without_gradient: NotRequired[list[str]]
    """For a step: parameters of the optimizer whose grad was None."""
    frozen: NotRequired[list[str]]
    """For a step: parameters that do not require a gradient but have a grad."""
    moved: NotRequired[list[str]]
    """For a step: those of `frozen` that it changed; omitted if there are none."""
    content: NotRequired[list[GradContent]]
    """For a step, a clip and a zero_grad: the backward calls whose gradients were in the grads of the parameters
    (before zero_grad cleared them), for parameters that had any."""
    again: NotRequired[list[str]]
    """For a step: the parameters whose gradients the step of another optimizer had used, with no backward since;
    omitted if there are none."""
    as_computed: NotRequired[list[str]]
    """For a step without a GradScaler, in a script that uses one: the parameters whose grads are as the last
    backward call left them; omitted if there are none."""
    limit: NotRequired[Real]
    """For a clip: the maximum norm or value."""
    empty: NotRequired[bool]
    """For a step: whether all grads of its parameters were None or zero."""
    tensor: NotRequired[Id]
    """The tensor whose grad was read: its id in the last earlier graph that contains it."""


class GradNorms(TypedDict):
    """The grad of a parameter in one backward call."""

    backward_call: Positive
    tensor: Id | None
    """Its id in the graph of that call; null if it is not under the root."""
    before: Statistic
    """The 2-norm of its grad when backward was called; null if the grad was None."""
    after: Statistic
    """The same after backward returned or raised."""


class ParameterRow(TypedDict):
    """A parameter, by its first name."""

    name: str
    """Its path in the model; with several models, prefixed by the name of its model."""
    module: str
    """The name of the module that holds it."""
    shape: Shape
    dtype: str
    requires_grad: bool
    """When the last recorded call started."""
    elements: Count
    calls: list[GradNorms]
    """Its grad in each recorded backward call."""


ModuleRow = TypedDict(
    "ModuleRow",
    {
        "name": Annotated[
            str,
            Meta(
                description='Its path in the model, "" for the model itself; with several models, prefixed by the'
                " name of its model."
            ),
        ],
        "class": str,
        "training": Annotated[bool, Meta(description="When the last recorded call started.")],
        "parameters": Annotated[Count, Meta(description="Number of parameters it holds itself.")],
        "elements": Annotated[Count, Meta(description="Number of elements of these parameters.")],
        "wrappers": NotRequired[
            Annotated[
                list[str],
                Meta(
                    description="The classes of torch's wrappers that run it, outermost first:"
                    " DistributedDataParallel, OptimizedModule. They are in no path. Omitted if there are none."
                ),
            ]
        ],
    },
)
ModuleRow.__doc__ = "An nn.Module."


class OptimizerGroup(TypedDict):
    """A parameter group of an optimizer."""

    parameters: list[str]
    options: dict[str, Any]
    """Its numbers and flags: lr, momentum, …"""


class Replaced(TypedDict):
    """A parameter of an optimizer that its module no longer holds."""

    parameter: str
    backward_call: Positive
    """The first such call."""
    source: Place
    """Where the parameter that replaced it was created; null if there is none or that was not seen."""


SchedulerRow = TypedDict(
    "SchedulerRow",
    {
        "class": str,
        "source": Annotated[Place, Meta(description="Where it was made.")],
        "stepped": Annotated[bool, Meta(description="Whether it had stepped by the last event of an optimizer.")],
        "stepped_at": NotRequired[
            Annotated[Source, Meta(description="The line that steps it; omitted if that was not seen.")]
        ],
    },
)
SchedulerRow.__doc__ = "A scheduler of the learning rates of an optimizer."


OptimizerRow = TypedDict(
    "OptimizerRow",
    {
        "name": Annotated[str | None, Meta(description="The script's name for it at its steps.")],
        "class": str,
        "source": Annotated[Place, Meta(description="Where it was created.")],
        "groups": list[OptimizerGroup],
        "replaced": NotRequired[
            Annotated[
                list[Replaced],
                Meta(
                    description="Its parameters that had been replaced in their module when a call started;"
                    " omitted if there are none."
                ),
            ]
        ],
        "schedulers": NotRequired[
            Annotated[list[SchedulerRow], Meta(description="Those made for it; omitted if there are none.")]
        ],
    },
)
OptimizerRow.__doc__ = "An optimizer, in the order of creation or first step."


class LeafCall(TypedDict):
    """A recorded call whose graph contains a leaf, or that gave it a gradient."""

    backward_call: Positive
    tensor: Id | None
    """Its tensor; null if it is not in the graph but got a gradient from a nested backward (a reentrant
    checkpoint)."""
    gradient: bool
    """Whether the call added to its grad, and the grad was still there when the call had ended."""


class LeafRow(TypedDict):
    """A parameter that a module or an optimizer holds."""

    name: str
    requires_grad: bool
    """At the last time it was examined."""
    model: str | None
    """The script's name for the outermost module that contains it; null if there is none."""
    registered: bool | None
    """Whether it is in the parameters() of that module; false for a parameter of a module in a plain list or dict;
    null if it is not in a module."""
    ran: bool
    """Whether an outermost module that ran contains it."""
    optimizers: list[Count]
    """The numbers of the optimizers that hold it, from 0."""
    written: bool
    """Whether it was written in place between two recorded calls."""
    calls: list[LeafCall]
    """The recorded calls whose graphs contain it, or that gave it a gradient."""
    source: Source | None
    """Where it was created; null if that was not seen."""
    without_graph: Source | None
    """Where its module was called, if it was only called with grad disabled; null otherwise, and if that was not
    seen."""


StatementKind: TypeAlias = Literal[
    "not_called",
    "compared",
    "dropped",
    "rebound",
    "of_module",
    "of_optimizer",
    "of_parent",
    "of_group",
    "misspelt",
    "rebuilt",
    "uses_rebuilt",
]


class StatementRow(TypedDict):
    """A statement of the script without the effect that its text suggests."""

    kind: StatementKind
    """not_called: it names a method and does not call it; compared: it compares where an assignment was meant;
    dropped: it drops a new tensor; rebound: it gives a loop's variable a new tensor; of_module, of_optimizer,
    misspelt: it sets an attribute that torch does not read: requires_grad of a module, an option of an optimizer,
    a misspelling of requires_grad; of_parent: it sets the mode of a module, and not of those inside; of_group: it
    sets an option of one of several parameter groups; rebuilt: it makes parameters for one backward call, which
    are gone before the next, where it makes others; uses_rebuilt: it uses such a parameter, whose making was not
    seen."""
    source: Source
    text: str
    """Its source text; for an assignment, what is assigned to: `model.requires_grad`."""
    of: str | None
    """The class of the object before the last dot; null if that is unknown."""
    inside: NotRequired[list[str]]
    """For of_parent: the paths of the modules inside, with dropout or batch norm."""


class Contained(TypedDict):
    """An earlier recorded call whose Nodes a graph contains."""

    backward_call: Positive
    nodes: Positive
    """Number of these Nodes, without AccumulateGrad."""
    root: bool
    """Whether the first root of the earlier call is among them."""
    through: list[Id]
    """The first Nodes of this graph that lead to one of them."""
    shared: NotRequired[list[Id]]
    """The first of them, in this graph."""
    later: NotRequired[bool]
    """Whether this graph has Nodes that were created after the earlier call had begun."""


class Alive(TypedDict):
    """An earlier recorded call whose graph was still alive when another started that was created later."""

    backward_call: Positive
    holder: str | None
    """A tensor of the script, outside of this graph, whose graph leads to that one; null if none was found."""
    source: Place
    """Where that tensor was created."""


class Folded(TypedDict):
    """Only for a graph that is folded because it has more than 50,000 Nodes."""

    note: str
    """What was folded."""
    whole: str | None
    """The file beside this one that contains every Node. It has the same keys, but nodes and edges are in columns:
    {count, kinds, kind}. Rows with the same keys are of one kind; kinds[k] is {key: column} for them, in the
    order of the rows; kind is a column with the kind of each row. A column is {all: value} if every row has the
    same value, {values, codes} if row k has values[codes[k]], or {list} if row k has the k-th item."""


class ModuleBytes(TypedDict):
    """The memory held by the saved tensors of one module."""

    module: str
    bytes: Count


class SavedBytes(TypedDict):
    """The memory held by saved tensors when backward was called; missing if not recorded."""

    bytes: Count
    """Of all their storages, each counted once, without those of leaves."""
    packed: Count
    """Number of tensors packed by a saved-tensor hook, whose bytes are unknown."""
    modules: list[ModuleBytes]
    """By top-level module, largest first, with the items of one list together: blocks.*"""


class GraphRows(TypedDict):
    """The backward graph: tensors and functions."""

    nodes: list[NodeRow]
    edges: list[EdgeRow]
    """Edges point the way the gradient flows, from root to leaf."""
    roots: list[Id]
    """The tensors where backward starts."""
    steps: list[Id]
    """The functions in the order in which the engine ran them."""
    error: str | None
    """The exception raised by backward, as one line."""
    folded: NotRequired[Folded]


class BucketRow(TypedDict):
    """Gradients that DistributedDataParallel reduces together, once the last of them is there."""

    parameters: list[str]
    bytes: Count


class WrapperRow(TypedDict):
    """A DistributedDataParallel module in a backward call."""

    name: str
    """The script's name for it."""
    bypassed: NotRequired[bool]
    """true if it was not called in the forward, although the module in it was: it reduces nothing. Omitted
    otherwise."""
    buckets: NotRequired[list[BucketRow]]
    """In the order in which they are reduced: one that is complete waits for those before it. Omitted for a module
    that reduces nothing, and if this torch does not tell them."""
    find_unused_parameters: NotRequired[bool]
    """true if it was wrapped with this option: it does not wait for parameters that are not in the graph. Omitted
    otherwise."""
    static_graph: NotRequired[bool]
    """true if it was wrapped with this option. Omitted otherwise."""


class CallRow(TypedDict):
    """A recorded backward call."""

    index: Positive
    """1 for the script's first backward call; calls that were not recorded count too."""
    location: Source | Unknown
    """Where the script called backward."""
    step: NotRequired[Positive]
    """The step of the timeline in which it ran; only for a call that the flight recorder recorded."""
    recording: Mode
    """How the forward of this call was recorded. full: op by op; light: modules and lines; none: structure."""
    scale: NotRequired[Real]
    """The scale by which a GradScaler had multiplied the root."""
    wanted: NotRequired[list[Id]]
    """The tensors whose gradients were requested (torch.autograd.grad, backward(inputs=...)); omitted: all leaves.
    """
    step_of: NotRequired[Positive]
    """For a call of torch.autograd.grad: the later call that trains, to whose step this one belongs. A call trains
    if it adds to grads, or if it is the last one before a step of an optimizer. Omitted for a call that trains,
    and if none followed."""
    contains: NotRequired[list[Contained]]
    """The earlier recorded calls whose Nodes this graph contains; omitted if there are none."""
    alive: NotRequired[list[Alive]]
    """The earlier recorded calls whose graphs were still alive when this one started; omitted if there are none.
    """
    wrappers: NotRequired[list[WrapperRow]]
    """The DistributedDataParallel modules that reduce its gradients, or that its forward went around; omitted if
    there are none."""
    graph: GraphRows
    saved: NotRequired[SavedBytes]
    cuts: list[CutRow]
    """Places where the forward left the graph: detach, no_grad, …"""
    writes: list[WriteRow]
    """In-place writes since the last call, and earlier ones that overwrote saved tensors of this graph."""


class ReportRows(TypedDict):
    """An inspection of a PyTorch script: its backward graphs in plain values. The same program gives the same
    file: no times, no absolute paths, no addresses."""

    schema: Literal[1]
    """The version of this format."""
    script: str
    """The file name of the script, or the name of the module that was run."""
    title: NotRequired[str]
    """The script's docstring or first comment, if it is short: the title of its figures."""
    exit: Exit
    rank: NotRequired[ProcessRank]
    """Which of the processes of a launcher it was; omitted for a single process."""
    recording: Recording
    backward_calls: list[CallRow]
    """The recorded backward calls, in order."""
    parameters: list[ParameterRow]
    """The parameters of the script's modules: the modules given to inspector.record, or those in the script's
    variables."""
    modules: list[ModuleRow]
    """These modules, each before its children."""
    optimizers: list[OptimizerRow]
    """The script's optimizers."""
    leaves: NotRequired[list[LeafRow]]
    """The parameters that a module or an optimizer holds; omitted if there are none."""
    statements: NotRequired[list[StatementRow]]
    """Statements without effect in the files of the functions that called the first recorded backward; omitted if
    there are none."""
    events: list[EventRow]
    """Events around the backward calls, in order."""
    timeline: NotRequired[Timeline]
    """The steps of the run; omitted if none followed the watched backward calls, or if they were not recorded. Its
    cost, and how often gradients were recorded, depend on the speed of the machine."""
    findings: list[Finding]
    """What is wrong with the gradients, worst first."""
    checked: list[Check]
    """The rules without findings, and those that were not checked."""
