"""The rows of a graph: what `report.json` says of a node and an edge, and what networkx keeps as their attributes.

These types are the one place that says which keys a row has: the schema of the report, the check of a file that is
read, and the values that are decoded all follow from them. A text below a key says what it means, in the schema.
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
        description="n0, n1, … functions and t0, t1, … tensors, in pre-order from the roots; g: a folded box, by"
        " its first member.",
    ),
]
Positive: TypeAlias = Annotated[int, Meta(ge=1)]


@final
class Source(TypedDict):
    """A place in the code."""

    file: str
    """Relative to the script's folder, `site-packages/…`, or a base name."""
    line: Count
    code: str
    """The line, or the statement, as it is written."""


Place: TypeAlias = Source | Unknown | None


class State(TypedDict):
    """What differs before and after backward."""

    data: Value
    grad: Value
    """torch's grad attribute; a list by output number where there are several."""


SavedState: TypeAlias = Literal["held", "released", "modified", "packed", "empty", "unknown"]


class SavedTensor(TypedDict):
    """A tensor that a function keeps for its backward."""

    name: str
    """As torch names it: self, other, result, …"""
    tensor: Id | None
    """The tensor, null where the slot is empty or the tensor is not in the graph."""
    before: SavedState
    after: SavedState
    bytes: NotRequired[Count]
    """What it adds to the memory that the graph keeps alive: the bytes of its storage; 0 where a leaf or an
    earlier function has the same one. Missing where it is not held, or a hook has packed it."""
    shape: NotRequired[Shape]
    dtype: NotRequired[str]


class Alias(TypedDict):
    """A name of ours for a tensor that has none."""

    name: str
    """v1, v2, …"""
    expression: str | None


class Given(TypedDict):
    """An operation that has no Node, and whose result was not finite."""

    operation: str
    source: Place
    name: str | None
    """The text of what it was applied to."""
    code: str | None
    """Its text."""


@final
class Local(TypedDict):
    """The local derivative: as a formula in the script's names, and as a number."""

    symbol: str | None
    value: Value


class FunctionRow(TypedDict):
    """One autograd Node."""

    kind: Literal["function"]
    name: str
    """PowBackward0"""
    is_leaf: bool
    """Of the tensor that it made (AccumulateGrad: of its leaf)."""
    requires_grad: bool
    module: str | Unknown | None
    """Path of the nn.Module that made it; null outside of modules."""
    source: Place
    """The line that made it; null for an AccumulateGrad."""
    made_in: NotRequired[Positive]
    """The index of the backward call during which it was made: by create_graph, in a hook, in a checkpointed
    forward that ran again. Its source is the line that called that backward. Missing for a Node of the
    forward, and where it is not known."""
    step: Positive | Unknown | None
    """Its turn in the engine's order; null if the engine did not run it."""
    attributes: dict[str, Any]
    """What it saved beside tensors: {"exponent": 2}."""
    empty_slots: list[Count]
    """Slots of next_functions that lead nowhere."""
    formula: dict[str, str]
    """torch's own derivative, by input."""
    saved: list[SavedTensor]
    before: State
    """What it held when backward was called."""
    after: State
    """What it held when backward had returned or raised."""
    gradient: Value
    """What arrived for its output."""
    operands: NotRequired[list[Shape]]
    """The shapes of its two operands, where they were broadcast to a shape that neither has (full
    recording)."""
    given: NotRequired[Given]
    """What first made an input without a gradient NaN or infinite, where that was seen: an operation that has
    no Node (full recording, on the CPU)."""
    alias: NotRequired[Alias]
    """What the symbols of local derivatives call the tensor that it made, where that has no name and its
    expression is long."""


class Naming(TypedDict):
    """What a tensor is called."""

    name: str | None
    expression: NotRequired[str]


class TensorFacts(TypedDict):
    """What a tensor says of itself."""

    retains_grad: bool | Unknown
    dtype: str
    shape: Shape
    device: str
    version: Count | Unknown


class TensorRow(TypedDict):
    """A leaf, a root, a tensor with a name, a saved or a recorded one."""

    kind: Literal["tensor"]
    name: str | None
    """The script's name for it; null if it has none."""
    expression: NotRequired[str]
    """The source text that computed a tensor without a name."""
    symbol: NotRequired[str]
    """The name that figures write, where a comment of the script gives one."""
    is_leaf: bool
    requires_grad: bool
    grad_fn: Id | None
    output_nr: NotRequired[Count]
    """Which output of grad_fn, where it has several."""
    retains_grad: bool | Unknown
    dtype: str
    shape: Shape
    device: str
    version: Count | Unknown
    """torch's version counter."""
    source: Place
    before: State
    """What it held when backward was called."""
    after: State
    """What it held when backward had returned or raised."""
    gradient: Value
    """d root / d tensor, where it was measured; not to be confused with grad."""
    derivative: NotRequired[Local]
    """Of a scalar leaf of a small graph: d root / d leaf as a formula, composed over all paths, and as a
    number."""


class Norms(TypedDict):
    """The range of the norms of several gradients."""

    low: Real | None
    """null where no norm is known"""
    high: Real | None
    zeros: Count
    """Exactly zero; they are in the range."""
    nans: Count
    """NaN or infinite; they are not."""
    none: Count
    """torch's None."""
    unknown: Count


Members: TypeAlias = Annotated[
    list[str],
    Meta(
        title="members",
        description="The functions in it, in walk order; [first, last] stands for all from the one to the other.",
    ),
]


class FoldRow(TypedDict):
    """A box that stands for several functions."""

    kind: Literal["fold"]
    why: Literal["module", "call", "step", "equal", "line", "views", "joined", "rest"]
    """What its members have in common: a module, one call of it, a pass of a loop, equal parts, a line of
    code, a function with its views, neighbours, or that they are all that is not shown."""
    name: str
    module: str
    """The innermost module that holds all of it."""
    host: Id | None
    """The function that it is drawn as."""
    count: Positive
    """How many equal parts it stands for."""
    members: Members
    nodes: Count
    parameters: Count
    """Leaves that belong to it."""
    elements: Count
    saved_bytes: Count
    norms: Norms
    arriving: Norms
    grads: Norms
    steps: Annotated[list[int], Meta(min_length=2, max_length=2)] | None
    """Its first and last turn in the engine's order."""
    is_leaf: Literal[False]
    requires_grad: Literal[True]
    before: State
    after: State
    gradient: Value


class NextEdge(TypedDict):
    """Function to function."""

    kind: Literal["next"]
    slot: Count
    """Position in next_functions."""
    input_nr: Count
    """Which input of the target: the output_nr of the forward tensor."""
    gradient: NotRequired[Value]
    """What flows along this edge alone."""
    local: NotRequired[Local | Unknown | None]


class GradFnEdge(TypedDict):
    """Tensor to its function."""

    kind: Literal["grad_fn"]


class AccumulateEdge(TypedDict):
    """AccumulateGrad to its leaf."""

    kind: Literal["accumulate"]
    gradient: NotRequired[Value]


class SavedEdge(TypedDict):
    """Function to a tensor that it saved."""

    kind: Literal["saved"]
    name: str


class FlowEdge(TypedDict):
    """All edges from one box, or function, to another."""

    kind: Literal["flow"]
    count: Positive
    """How many edges it stands for."""
    norms: Norms
    back: bool
    """Whether it closes a circle of boxes."""


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
"""The keys that a row has in a file alone: networkx keeps ids beside the attributes."""

IN_JSON: dict[Any, Any] = values.IN_JSON | {
    Members: list[Id | Annotated[list[Id], Meta(min_length=2, max_length=2)]],
}
"""What these types are in a file."""


def value_keys(*rows: Any) -> frozenset[str]:
    """The keys of these types of rows in which there are numbers of tensors, so that "nan" in them is no text."""
    return frozenset(
        key for row in rows for key, hint in get_type_hints(row, include_extras=True).items() if _has_values(hint)
    )


def _has_values(hint: Any) -> bool:
    if hint in (Any, Real, Statistic, Value):
        return True
    is_row = hasattr(hint, "__annotations__")
    parts = get_type_hints(hint, include_extras=True).values() if is_row else get_args(hint)
    return any(map(_has_values, parts))
