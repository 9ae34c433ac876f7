"""The rows of a report that are not of a graph: what `report.json` says of calls, cuts, events, parameters, ….

As in `inspector.graph.row_types`, the schema and the check of a file follow from these types.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct
from typing_extensions import NotRequired, TypedDict, final

from inspector.graph.row_types import EdgeRow, Id, NodeRow, Place, Positive, Source
from inspector.graph.values import Count, Real, Shape, Statistic, Unknown
from inspector.options import choices

SCHEMA = 1
"""The version of report.json that is written, and the newest that is read."""

Mode: TypeAlias = choices.Mode
"""full: op by op; light: modules, lines and gradients; none: structure."""
Severity: TypeAlias = Literal["error", "warning", "note"]


class Exit(TypedDict):
    """How the script ended."""

    status: int | None
    """The script's exit status; null while it still ran."""
    exception: str | None
    """What it raised, as one line, addresses masked."""


class Recording(TypedDict):
    """What was watched."""

    mode: Mode
    """full: op by op; light: modules, lines and gradients; none: structure."""
    watched: Count
    """How many backward calls were watched."""
    drawn: list[Positive]
    """The indexes of the calls that are drawn."""
    remarks: NotRequired[list[str]]
    """Why something of the forward was not seen, if so."""


@final
class Fault(TypedDict):
    """The line at fault."""

    file: str
    """Relative to the script's folder, `site-packages/…`, or a base name."""
    line: Count
    code: str
    """The line, or the statement, as it is written."""
    part: NotRequired[str]
    """The text in its code that is meant."""


class Finding(Struct):
    """One defect, at its cause."""

    rule: str
    """`inspect explain RULE` says more."""
    severity: Severity
    message: str
    advice: str
    location: Fault | Source | Unknown | None
    """The line at fault. part: the text in its code that is meant."""
    backward_call: Positive | None
    nodes: list[Id]
    parameters: list[str]
    evidence: dict[str, Any]
    """The values that the rule judged by."""


class Check(Struct):
    """A rule that gave no finding: because nothing was wrong, or because it could not look."""

    rule: str
    status: Literal["nothing found", "not checked"]
    reason: str | None
    """Why it could not look."""


class CutRow(TypedDict):
    """A place where a tensor that needs a gradient gave one that needs none."""

    kind: Literal[
        "detach", "data", "item", "numpy", "tolist", "tensor", "comparison", "integer", "no_grad", "inference_mode"
    ]
    operation: str
    source: Place
    direct: bool
    """Whether the user's code called the operation itself."""
    name: NotRequired[str | None]
    """The source text of the tensor."""
    assigned: NotRequired[str | None]
    """What the statement assigns the result to."""
    code: NotRequired[str | None]
    """The source text of the expression."""
    tensor: NotRequired[Id | None]
    """The tensor, if it is in this graph."""
    count: Positive
    leaves: list[str] | None
    """The leaves that a gradient would have reached; null: too many Nodes to look."""
    region: Place
    """Where gradients were turned off, if that is why."""
    into: list[Id]
    """The functions that the data went into."""
    root: bool
    """Whether a root without a grad_fn holds the data."""
    beyond: list[str] | None
    """Those of them that are not under the roots of this call."""
    early: bool
    """Whether it happened before the root was made."""


class Overwritten(TypedDict):
    """A saved tensor in the storage that was written, of a Node that is older than the write."""

    node: Id
    name: str
    """As the Node calls it: self, result, ..."""
    overlaps: bool
    """Whether the write reached its elements, not only the same storage."""


class WriteRow(TypedDict):
    """One in-place write."""

    operation: str
    """torch's name of it: mul_, __setitem__; data.__set__ for `h.data = x`; numpy for a write by an array that
    shares the memory, of which the values tell, and the script's text where."""
    source: Place
    direct: bool
    """Whether the script's code called it itself."""
    name: str | None
    """The text of what was written."""
    code: str | None
    """The text of the operation."""
    tensor: Id | None
    """Which tensor of the graph it was before; null for one outside of it."""
    before: Count
    """Its version before the write."""
    after: Count
    """Its version after it; the same where no version counter saw it."""
    saved: list[Overwritten]
    """The saved tensors in the storage that was written, of Nodes that are older than the write."""
    assigned: NotRequired[str | None]
    """What the statement assigns the result to."""


class GradContent(TypedDict):
    """Parameters whose grads held the gradients of these backward calls."""

    backward_calls: list[Positive]
    parameters: list[str]


class EventRow(TypedDict):
    """Something that happened around the backward calls."""

    event: Literal[
        "step", "skipped_step", "zero_grad", "clip", "unscale", "refused", "without_graph", "read_grad", "hook"
    ]
    """refused: a tensor that is no leaf was given to an optimizer (source: where it was made). without_graph:
    backward was called on roots that need no gradient (parameters: tensors that need none and whose grad the
    script asks for). read_grad: the script read the grad of a tensor that is no leaf and does not retain
    it."""
    after_call: Count
    """How many backward calls had ended."""
    optimizer: Count | None
    """Its number in optimizers, from 0; null where there is none."""
    source: Place
    parameters: NotRequired[list[str]]
    """What was zeroed or clipped, where that is known; the leaf that got a hook."""
    without_gradient: NotRequired[list[str]]
    """Of a step: parameters of the optimizer whose grad was None."""
    frozen: NotRequired[list[str]]
    """Of a step: parameters that need no gradient, and whose grad is not None."""
    moved: NotRequired[list[str]]
    """Of a step: those of `frozen` whose elements it changed; left out where there are none."""
    content: NotRequired[list[GradContent]]
    """Of a step, a clip and a zero_grad: the backward calls whose gradients its parameters held in their grads
    (before zero_grad emptied them), of those that held any."""
    limit: NotRequired[Real]
    """Of a clip: the largest norm or value that it lets through."""
    empty: NotRequired[bool]
    """Of a step: whether all grads of its parameters were None or zero."""
    tensor: NotRequired[Id]
    """Whose grad was read: its id in the graph of the last call before that has it."""


class GradNorms(TypedDict):
    """What one backward call gave a parameter."""

    backward_call: Positive
    tensor: Id | None
    """Its id in the graph of that call; null if it is not under the root."""
    before: Statistic
    """The 2-norm of its grad when backward was called; null where that was None."""
    after: Statistic
    """And when it had returned or raised."""


class ParameterRow(TypedDict):
    """A parameter, by its first name."""

    name: str
    """Its path in the model; where there are several models, behind the name of its own."""
    module: str
    """The name of the module that holds it."""
    shape: Shape
    dtype: str
    requires_grad: bool
    """When the last watched call began."""
    elements: Count
    calls: list[GradNorms]
    """What each watched backward call gave it."""


ModuleRow = TypedDict(
    "ModuleRow",
    {
        "name": Annotated[
            str,
            Meta(
                description='Its path in the model, "" for that itself; where there are several models, behind the'
                " name of its own."
            ),
        ],
        "class": str,
        "training": Annotated[bool, Meta(description="When the last watched call began.")],
        "parameters": Annotated[Count, Meta(description="How many it holds itself.")],
        "elements": Annotated[Count, Meta(description="Of those.")],
    },
)
ModuleRow.__doc__ = "An nn.Module."


class OptimizerGroup(TypedDict):
    """Parameters that an optimizer steps in the same way."""

    parameters: list[str]
    options: dict[str, Any]
    """Its numbers and flags: lr, momentum, …"""


class Replaced(TypedDict):
    """A parameter of an optimizer that its module holds no more."""

    parameter: str
    backward_call: Positive
    """The first such call."""
    source: Place
    """Where the parameter was made that is now in its place; null where none is, or where that was not
    seen."""


OptimizerRow = TypedDict(
    "OptimizerRow",
    {
        "name": Annotated[str | None, Meta(description="What the script calls it, where it steps.")],
        "class": str,
        "source": Annotated[Place, Meta(description="Where it was made.")],
        "groups": list[OptimizerGroup],
        "replaced": NotRequired[
            Annotated[
                list[Replaced],
                Meta(
                    description="Its parameters that their module held no more when a backward call began; left"
                    " out where there are none."
                ),
            ]
        ],
    },
)
OptimizerRow.__doc__ = "An optimizer, in the order in which they were made or first stepped."


class LeafCall(TypedDict):
    """A watched call whose graph holds a leaf, or that gave it a gradient."""

    backward_call: Positive
    tensor: Id | None
    """Its tensor; null where it is not in the graph and got a gradient all the same, from a backward within
    this one (a reentrant checkpoint)."""
    gradient: bool
    """Whether the call added to its grad, and that was still there when it had ended."""


class LeafRow(TypedDict):
    """A parameter that a module or an optimizer holds."""

    name: str
    requires_grad: bool
    """When it was last looked at."""
    model: str | None
    """What the script calls the outermost module that it belongs to; null where it belongs to none."""
    registered: bool | None
    """Whether it is in the parameters() of that module; false for one of a module in a plain list or dict;
    null where it belongs to none."""
    ran: bool
    """Whether an outermost module that has run holds it."""
    optimizers: list[Count]
    """The numbers of the optimizers that hold it, from 0."""
    written: bool
    """Whether it was written in place between two watched calls."""
    calls: list[LeafCall]
    """The watched calls whose graphs hold it, or that gave it a gradient."""
    source: Source | None
    """Where it was made; null where that was not seen."""
    without_graph: Source | None
    """Where its module was called, if it never was while grad was enabled; null otherwise, and where that was
    not seen."""


class Contained(TypedDict):
    """An earlier watched call whose Nodes a graph contains."""

    backward_call: Positive
    nodes: Positive
    """How many of them, AccumulateGrad aside."""
    root: bool
    """Whether the earlier call's first root is among them."""
    through: list[Id]
    """The first Nodes of this graph that lead to one of them."""


class Alive(TypedDict):
    """An earlier watched call whose graph still lived when another began."""

    backward_call: Positive
    holder: str | None
    """A tensor of the script's outside of this graph whose graph leads to that one; null where none was
    found."""
    source: Place
    """Where that tensor was made."""


class Folded(TypedDict):
    """Only of a graph that is folded because it has more than 50,000 Nodes."""

    note: str
    """What was folded, in words."""
    whole: str | None
    """The file beside this one that holds every Node. Its keys are those of this file, but nodes and edges are
    in columns: {count, kinds, kind}. Rows with the same keys are of one kind; kinds[k] is {key: column} for
    them, in the order of the rows; kind is a column that says of which kind each row is. A column is {all:
    value} where every row has the same, {values, codes} where row k has values[codes[k]], or {list} where row
    k has the k-th."""


class ModuleBytes(TypedDict):
    """What the saved tensors of one module keep alive."""

    module: str
    bytes: Count


class SavedBytes(TypedDict):
    """What the saved tensors kept alive when backward was called; missing where that was not recorded."""

    bytes: Count
    """Of all their storages, each once, without those of leaves."""
    packed: Count
    """How many lay in the hands of an unpack hook: their bytes are not known."""
    modules: list[ModuleBytes]
    """By module at the top, the largest first, the items of one list together: blocks.*"""


class GraphRows(TypedDict):
    """The backward graph: tensors and functions."""

    nodes: list[NodeRow]
    edges: list[EdgeRow]
    """Every edge points the way the gradient flows, from root to leaf."""
    roots: list[Id]
    """Where backward starts."""
    steps: list[Id]
    """The functions in the order in which the engine ran them."""
    error: str | None
    """What backward raised, as one line."""
    folded: NotRequired[Folded]


class CallRow(TypedDict):
    """A watched call of backward."""

    index: Positive
    """1 for the script's first backward call."""
    location: Source | Unknown
    """Where the script called backward."""
    recording: Mode
    """How the forward of this call was recorded. full: op by op; light: modules and lines; none: structure."""
    scale: NotRequired[Real]
    """What a GradScaler had multiplied the root by."""
    wanted: NotRequired[list[Id]]
    """The tensors whose gradients were asked for (torch.autograd.grad, backward(inputs=...)); left out: all
    leaves."""
    contains: NotRequired[list[Contained]]
    """The earlier watched calls whose Nodes this graph contains; left out where there are none."""
    alive: NotRequired[list[Alive]]
    """The earlier watched calls whose graphs still lived when this one began; left out where there are
    none."""
    graph: GraphRows
    saved: NotRequired[SavedBytes]
    cuts: list[CutRow]
    """Where the forward left the graph: detach, no_grad, …"""
    writes: list[WriteRow]
    """In-place writes since the last call, and earlier ones over what this graph had saved."""


class ReportRows(TypedDict):
    """An inspection of a PyTorch script: its backward graphs in plain values. The same program gives the same
    file: no times, no absolute paths, no addresses."""

    schema: Literal[1]
    """The version of this format."""
    script: str
    """The script, as its file name, or the module that was run."""
    exit: Exit
    recording: Recording
    backward_calls: list[CallRow]
    """The watched calls of backward, in order."""
    parameters: list[ParameterRow]
    """The parameters of the script's modules: those that inspector.record was given, else those of the modules
    that its variables held."""
    modules: list[ModuleRow]
    """Those modules, each before what is in it."""
    optimizers: list[OptimizerRow]
    """The script's optimizers."""
    leaves: NotRequired[list[LeafRow]]
    """The parameters that a module or an optimizer holds; left out where there are none."""
    events: list[EventRow]
    """What happened around the backward calls, in order."""
    findings: list[Finding]
    """What is wrong with the flow of gradients, worst first."""
    checked: list[Check]
    """The rules that found nothing, and those that could not look."""
