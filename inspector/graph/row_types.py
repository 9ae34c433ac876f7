"""Types of the rows of a graph: the nodes and edges of `report.json`, and their attributes in networkx.

Only these types define the keys of a row: the schema of the report, the validation of a loaded file and the
decoding of values are derived from them. The text below a key is its description in the schema.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, get_args

from msgspec import Meta
from typing_extensions import NotRequired, TypedDict, final, get_type_hints

from inspector.graph import values
from inspector.graph.values import Count, Real, Shape, Statistic, Unknown, Value

Id: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^(n[0-9]+|t[0-9]+|g:.+)$",
        description="n0, n1, … are functions and t0, t1, … tensors, in pre-order from the roots; g: a folded box,"
        " named after its first member.",
    ),
]
Positive: TypeAlias = Annotated[int, Meta(ge=1)]


@final
class LibraryLine(TypedDict):
    """A line of a library."""

    file: str
    """`site-packages/…`, or a base name."""
    line: Count
    code: str
    """The source line or statement."""


@final
class Source(TypedDict):
    """A location in the source code of the user."""

    file: str
    """Relative to the script's folder, `site-packages/…`, or a base name."""
    line: Count
    code: str
    """The source line or statement."""
    library: NotRequired[LibraryLine]
    """The line of a library, not of torch, that did it, if the user's line called a library. Only from full
    recordings for what happened in a forward."""


Place: TypeAlias = Source | Unknown | None


class State(TypedDict):
    """The state before or after backward."""

    data: Value
    grad: Value
    """torch's grad attribute; a list by output number if there are several outputs."""


SavedState: TypeAlias = Literal["held", "released", "modified", "packed", "empty", "unknown"]


class SavedTensor(TypedDict):
    """A tensor saved by a function for backward."""

    name: str
    """torch's name for it: self, other, result, …"""
    tensor: Id | None
    """The tensor; null if the slot is empty or the tensor is not in the graph."""
    before: SavedState
    after: SavedState
    bytes: NotRequired[Count]
    """Memory that the graph holds because of it: the bytes of its storage, or 0 if a leaf or an earlier function
    holds the same storage. Missing if it is not held, or if a hook packed it."""
    shape: NotRequired[Shape]
    dtype: NotRequired[str]


class Alias(TypedDict):
    """A generated name for a tensor without one."""

    name: str
    """v1, v2, …"""
    expression: str | None


class Given(TypedDict):
    """An operation without a Node whose result was not finite."""

    operation: str
    source: Place
    name: str | None
    """The source text of its argument."""
    code: str | None
    """Its source text."""


@final
class Local(TypedDict):
    """The local derivative, as a formula in the script's names and as a number."""

    symbol: str | None
    value: Value


_Pass = TypedDict(
    "_Pass",
    {
        "pass": NotRequired[
            Annotated[
                int,
                Meta(
                    ge=0,
                    description="Which of the tensors or numbers that the script assigned to this name, counted in"
                    " execution order from 1; 0 is the leaf or the constant with which a loop starts. Missing if"
                    " there is only one.",
                ),
            ]
        ]
    },
)
"""A call, since `pass` is a keyword."""


class Constant(_Pass):
    """An argument of an operation that needs no gradient."""

    position: Count
    """Its place among the operands of the operation, in the order of torch's signature: 0 is self. The Node says
    which operation: `1 - y` is `rsub(y, 1)`, so the 1 has position 1."""
    name: str | None
    """The script's name for it; null for a number in the source, and for a tensor without a name."""
    expression: NotRequired[str]
    """The source text of one without a name, if it is more than a number."""
    value: Value
    """A number, or the content of a tensor."""
    shape: NotRequired[Shape]
    """Of a tensor; missing for a number."""
    viewed: NotRequired[Shape]
    """The shape of the tensor with this name, if this is a view of it in another shape."""
    dtype: NotRequired[str]
    tensor: NotRequired[Id]
    """The tensor, if it is in the graph."""


class GradientRows(TypedDict):
    """What stands out among the rows of a gradient (the indices of its first dimension): one that carries most of
    it, or some that are not finite."""

    count: Positive
    """Number of rows."""
    largest: NotRequired[Count]
    """The index of the row that carries most of the gradient's square. Missing if `not_finite` is there."""
    share: NotRequired[Real]
    """Its share of the gradient's square."""
    not_finite: NotRequired[list[Count]]
    """The indices of rows with NaN or infinite elements, the first 8; other rows are finite."""
    more: NotRequired[Count]
    """Number of rows that are not finite beyond those."""


class InnerOperation(TypedDict):
    """An operation inside a function."""

    name: str
    """torch's name of it: tanh_backward in a compiled function, TanhBackward0 for a Node."""
    inputs: list[Count]
    """The operations whose results it uses, by their positions in the list."""
    module: str | Unknown | None
    """Path of the module that it belongs to; null outside of modules."""
    source: Source | None
    """The line of the forward that it belongs to; null if that is not known."""
    leaf: NotRequired[str | None]
    """For an AccumulateGrad: the name of its leaf; null if it has none."""
    gradient: NotRequired[Value]
    """For a Node with one output: the gradient that arrived."""


class InnerPart(TypedDict):
    """What a function does in backward, if it is not one operation: what a compiled function computes, of which
    there are several if Dynamo could not compile it as a whole; or the Nodes of the graph that a function ran
    backward through itself, as a reentrant checkpoint does."""

    operations: list[InnerOperation]
    """In the order of the graph that AOTAutograd made, before its backend compiles it; Nodes in the order in which
    the engine ran them."""
    receives: list[Count]
    """The operations that use a gradient that arrives at the function, by their positions."""
    returns: NotRequired[list[Count | None]]
    """For each slot of next_functions the operation whose result goes there; null if none does. Missing if torch
    does not tell."""
    graph_break: NotRequired[Source]
    """The line at which Dynamo stopped, and after which this part begins."""


class MadeBy(TypedDict):
    """The function in whose backward a Node was created, under create_graph."""

    function: Id
    """Its id in the graph of the backward call `made_in`."""
    name: str
    """PowBackward0"""


class NodeFields(TypedDict):
    """The keys of a function that `tracing.node_reader` reads from its Node."""

    attributes: dict[str, Any]
    """The non-tensor values it saved: {"exponent": 2}."""


class InputFields(TypedDict):
    """The keys of a function that `recording.forward.operation_recorder` observes at its inputs, in a full
    recording."""

    operands: NotRequired[list[Shape]]
    """The shapes of its two operands, if they were broadcast to a shape that neither has."""
    random: NotRequired[bool]
    """Whether it uses a mask of at most 16 random numbers, all of which may be zero by chance; omitted if not, and
    if that was not recorded."""


class LookedUpFields(TypedDict):
    """The keys of a function that `tracing.build_graph` looks up in what was recorded, or that come later."""

    kind: Literal["function"]
    name: str
    """PowBackward0"""
    is_leaf: bool
    """Of the tensor it created (AccumulateGrad: of its leaf)."""
    requires_grad: bool
    module: str | Unknown | None
    """Path of the nn.Module that created it; null outside of modules. It begins with the script's variable if
    several outermost modules take part, or one of them several times."""
    passes: NotRequired[list[Count]]
    """For each name in that path, which pass through the module created it, counted in this graph from 1; 0 for a
    module that was not called itself (a ModuleList). Missing if every module was called, and once."""
    source: Place
    """The line that created it; null for an AccumulateGrad."""
    made_in: NotRequired[Positive]
    """The index of the backward call during which it was created: by create_graph, in a hook, or in a checkpointed
    forward that ran again. Its source is the line that called that backward. Missing for a Node of the forward,
    and if unknown."""
    made_by: NotRequired[MadeBy]
    """The function of that call that was running. Missing if the call was not recorded, or ran in a thread of the
    engine, as on an accelerator."""
    step: Positive | Unknown | None
    """Its step in the engine's order; null if the engine did not run it."""
    compiled: NotRequired[InnerPart | Unknown]
    """For a CompiledFunctionBackward: what is in it."""
    nested: NotRequired[InnerPart | Unknown]
    """The graph that it made in its backward and ran backward through. Missing if it did not."""
    empty_slots: list[Count]
    """Slots of next_functions without a function."""
    formula: dict[str, str]
    """torch's derivative formula for each input."""
    saved: list[SavedTensor]
    before: State
    """Its state when backward was called."""
    after: State
    """Its state after backward returned or raised."""
    gradient: Value
    """The gradient that arrived for its output."""
    computed: NotRequired[Value]
    """Its output, computed from its operands, if torch's own value was not seen. Only for an elementary function
    of small tensors, and only if it gives what other functions computed from it."""
    rows: NotRequired[GradientRows]
    """Rows that stand out in this gradient. Missing if none does, after the first function in the engine's order
    with rows that are not finite, and mostly in a light recording."""
    constants: NotRequired[list[Constant]]
    """Its operands that need no gradient, by position. Missing if there are none, and if they were not seen (a
    light recording, a custom Function)."""
    slot_positions: NotRequired[list[Count]]
    """For each slot of next_functions the position of its operand among all operands, constants included. Missing
    if it has no constants and the k-th slot is the k-th operand, and if the order is unknown."""
    given: NotRequired[Given]
    """The operation without a Node that made one of its inputs NaN or infinite, if it was seen (full recording, on
    the CPU)."""
    alias: NotRequired[Alias]
    """The name that local derivatives use for its output, if that has no name and a long expression."""
    closed_form: NotRequired[str]
    """The gradient that arrived for its output in one step from the root, where that has a textbook form, such as
    `p - t` for the logits of a cross-entropy. Only in a small graph, and only if its value is the measured one.
    Plain text, typeset like `symbol`."""


class FunctionRow(LookedUpFields, NodeFields, InputFields):
    """One autograd Node."""


class Naming(_Pass):
    """The name of a tensor."""

    name: str | None
    expression: NotRequired[str]


class TensorFactsRow(TypedDict):
    """The attributes of a tensor."""

    retains_grad: bool | Unknown
    dtype: str
    shape: Shape
    device: str
    version: Count | Unknown


class PartRow(TypedDict):
    """Which part of a DTensor a process holds."""

    placements: list[str]
    """One for each dimension of its mesh, such as `Shard(0)` or `Replicate`."""
    number: Count | None
    """Of the part, among all; null if the parts cannot be put together (Partial)."""
    parts: Positive
    """Number of different parts."""
    shape: Shape
    """Of the part. The row's own shape is that of the whole tensor."""


class TensorRow(_Pass):
    """A leaf, a root, or a named, saved or recorded tensor."""

    kind: Literal["tensor"]
    name: str | None
    """The script's name for it; null if it has none."""
    expression: NotRequired[str]
    """The source text that computed a tensor without a name."""
    symbol: NotRequired[str]
    """The name used in figures, if a comment in the script gives one."""
    is_leaf: bool
    requires_grad: bool
    grad_fn: Id | None
    output_nr: NotRequired[Count]
    """Which output of grad_fn, where it has several."""
    retains_grad: bool | Unknown
    dtype: str
    shape: Shape
    part: NotRequired[PartRow]
    """For a DTensor: which part of it this process holds. `data` and `grad` are of this part."""
    device: str
    version: Count | Unknown
    """torch's version counter."""
    source: Place
    before: State
    """Its state when backward was called."""
    after: State
    """Its state after backward returned or raised."""
    gradient: Value
    """d root / d tensor, if measured; not to be confused with grad."""
    seed: NotRequired[Value]
    """For a root: the gradient that backward was given. Omitted if it is 1 and no hook changed it, and if unknown.
    """
    derivative: NotRequired[Local]
    """For a scalar leaf of a small graph: d root / d leaf as a formula, composed over all paths, and as a number.
    """


class Norms(TypedDict):
    """The range of the norms of several gradients."""

    low: Real | None
    """null if no norm is known."""
    high: Real | None
    zeros: Count
    """Number of zero gradients, which are part of the range."""
    nans: Count
    """Number of NaN or infinite gradients, which are not part of the range."""
    none: Count
    """Number of gradients that are None."""
    unknown: Count


Members: TypeAlias = Annotated[
    list[str],
    Meta(
        title="members",
        description="The functions in it, in walk order; [first, last] stands for a range of functions.",
    ),
]


class FoldRow(TypedDict):
    """A box that stands for several functions."""

    kind: Literal["fold"]
    why: Literal["module", "call", "step", "equal", "line", "views", "joined", "rest"]
    """What its members share: a module, one call of a module, a loop iteration, equality, a source line, a
    function with its views, neighbourhood, or that they are the rest."""
    name: str
    module: str
    """The innermost module that contains all members."""
    host: Id | None
    """The function it is drawn as."""
    count: Positive
    """Number of equal parts it stands for."""
    members: Members
    nodes: Count
    parameters: Count
    """Number of leaves that belong to it."""
    nested_leaves: NotRequired[Positive]
    """Number of leaves, by name, in the graphs that its functions ran in backward (`nested`). Missing if none."""
    elements: Count
    saved_bytes: Count
    norms: Norms
    arriving: Norms
    grads: Norms
    steps: Annotated[list[int], Meta(min_length=2, max_length=2)] | None
    """Its first and last step in the engine's order."""
    is_leaf: Literal[False]
    requires_grad: Literal[True]
    before: State
    after: State
    gradient: Value


class NextEdge(TypedDict):
    """From a function to a function."""

    kind: Literal["next"]
    slot: Count
    """Position in next_functions."""
    input_nr: Count
    """The input of the target, which is the output_nr of the forward tensor."""
    gradient: NotRequired[Value]
    """The gradient that flows along this edge alone."""
    local: NotRequired[Local | Unknown | None]
    matrix: NotRequired[str]
    """The gradient that flows along this edge in terms of matrices, in the script's names: `δ xᵀ`, `Wᵀ δ`,
    `δ ⊙ (1 - h²)`. δ is the gradient that arrived for the output of the source; ⊙ multiplies element by element,
    Σ sums over what was broadcast. Only in a small graph, not between single numbers, and only if its value is the
    measured one. Plain text, typeset like `symbol`."""


class GradFnEdge(TypedDict):
    """From a tensor to its function."""

    kind: Literal["grad_fn"]


class AccumulateEdge(TypedDict):
    """From an AccumulateGrad to its leaf."""

    kind: Literal["accumulate"]
    gradient: NotRequired[Value]


class SavedEdge(TypedDict):
    """From a function to a tensor it saved."""

    kind: Literal["saved"]
    name: str


class FlowEdge(TypedDict):
    """All edges from one box or function to another."""

    kind: Literal["flow"]
    count: Positive
    """Number of edges it stands for."""
    norms: Norms
    back: bool
    """Whether it closes a cycle of boxes."""


NodeRow: TypeAlias = FunctionRow | TensorRow | FoldRow
EdgeRow: TypeAlias = NextEdge | GradFnEdge | AccumulateEdge | SavedEdge | FlowEdge

NODE_ROWS: dict[str, Any] = {"function": FunctionRow, "tensor": TensorRow, "fold": FoldRow}
EDGE_ROWS: dict[str, Any] = {
    "next": NextEdge,
    "grad_fn": GradFnEdge,
    "accumulate": AccumulateEdge,
    "saved": SavedEdge,
    "flow": FlowEdge,
}
"""The types of nodes and edges by their kind."""

IDS: dict[Any, dict[str, Any]] = {
    **{row: {"id": Id} for row in NODE_ROWS.values()},
    **{row: {"source": Id, "target": Id} for row in EDGE_ROWS.values()},
}
"""Keys that a row has only in a file: networkx stores ids separately from the attributes."""

IN_JSON: dict[Any, Any] = values.IN_JSON | {
    Members: list[Id | Annotated[list[Id], Meta(min_length=2, max_length=2)]],
}
"""The types that stand for these in a file."""


def value_keys(*rows: Any) -> frozenset[str]:
    """The keys of these row types that hold numbers of tensors, in which "nan" is therefore not a string."""
    return frozenset(
        key for row in rows for key, hint in get_type_hints(row, include_extras=True).items() if _has_values(hint)
    )


def _has_values(hint: Any) -> bool:
    if hint in (Any, Real, Statistic, Value):
        return True
    is_row = hasattr(hint, "__annotations__")
    parts = get_type_hints(hint, include_extras=True).values() if is_row else get_args(hint)
    return any(map(_has_values, parts))
