"""The Graph: what every later stage reads, whether it was traced a moment ago or loaded from a file.

`Graph.network` is a networkx MultiDiGraph with two kinds of nodes, `function` (an autograd Node) and
`tensor`, and four kinds of edges, all pointing the way the gradient flows. The attribute dictionaries of
its nodes and edges hold plain values (`inspector.graph.values`) and are the very rows of `report.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import networkx

from inspector.graph.values import Value, is_unknown
from inspector.look import Order

if TYPE_CHECKING:
    from typing import NotRequired

Moment = Literal["before", "after"]
MOMENTS: tuple[Moment, Moment] = ("before", "after")


class Source(TypedDict):
    """A place in the user's code."""

    file: str  # relative to the script's folder, `site-packages/…`, or a base name
    line: int
    code: str  # the line, or the statement, as it is written


class State(TypedDict):
    """What differs before and after backward. Several outputs: a list by output number."""

    data: Value
    grad: Value


class SavedTensor(TypedDict):
    """A tensor that a function keeps for its backward."""

    name: str  # `self`, `other`, `result`, …
    tensor: str | None  # the id of the tensor, None where the slot is empty
    before: str  # held, released, modified, packed, empty or unknown
    after: str
    shape: NotRequired[list[int]]  # these three: where it was held
    dtype: NotRequired[str]
    bytes: NotRequired[int]  # of its storage; 0 where a leaf or an earlier function has the same one


class FunctionAttributes(TypedDict):
    """A node of kind `function`: one autograd Node."""

    kind: Literal["function"]
    name: str  # `PowBackward0`
    is_leaf: bool
    requires_grad: bool
    module: Value  # the path of the nn.Module that made it, None outside of modules, or unknown
    source: Any  # Source, None for an AccumulateGrad, or unknown
    made_in: NotRequired[int]  # the backward call that made it (create_graph, a hook); its source is that call
    step: Value  # its turn in the engine's order from 1, None if the engine did not run it, or unknown
    attributes: dict[str, Any]  # what it saved beside tensors: `{"exponent": 2}`
    empty_slots: list[int]  # slots of next_functions that lead nowhere
    formula: dict[str, str]  # torch's own derivative by input: `{"self": "grad * exponent"}`
    saved: list[SavedTensor]
    before: State
    after: State
    gradient: Value  # what arrived for its output (a list where there are several)
    operands: NotRequired[list[list[int]]]  # shapes of its two operands, where broadcasting made neither's of them
    given: NotRequired[dict[str, Any]]  # what made an input without a gradient NaN or infinite, see report.json


class Norms(TypedDict):
    """The range of the norms of several gradients, and how many of them are not numbers."""

    low: float | None  # None where no norm is known
    high: float | None
    zeros: int  # exactly zero; they are in the range
    nans: int  # NaN or infinite
    none: int  # torch's None: nothing arrived
    unknown: int


class FoldAttributes(TypedDict):
    """A node of kind `fold`: a box that stands for several functions. Its id is `g:` and that of its first member.

    Edges between boxes are of kind `flow`, with `count` (of the edges they stand for), `norms` and `back`: whether
    it closes a circle of boxes, so that it is no step forwards.
    """

    kind: Literal["fold"]
    why: str  # what its members have in common: module, call, step (of a loop), equal, line, views, joined, rest
    name: str  # `blocks.3.attn`; of equal parts all their numbers
    module: str  # the path of the innermost module that holds all of it
    host: str | None  # the function that it is drawn as (`views`), by its id
    count: int  # of equal parts; else 1
    members: list[str]  # ids of functions, in walk order
    nodes: int
    parameters: int  # leaves that belong to it
    elements: int  # of those leaves
    saved_bytes: int  # what its members add to the memory that the graph keeps alive
    norms: Norms  # of the gradients of its members but AccumulateGrad
    arriving: Norms  # of what arrives at it from outside: one norm a part
    grads: Norms  # of the gradients of its leaves
    steps: list[int] | None  # first and last turn in the engine's order
    is_leaf: bool
    requires_grad: bool
    before: State
    after: State
    gradient: Value


class TensorAttributes(TypedDict):
    """A node of kind `tensor`: a leaf, a root, a tensor with a name, a saved or a recorded one."""

    kind: Literal["tensor"]
    name: str | None  # the script's name; None if it has none
    expression: NotRequired[str]  # the source text that computed it, for one without a name: `u * v`
    symbol: NotRequired[str]  # the name that figures write, where a comment of the script gives one
    is_leaf: bool
    requires_grad: bool
    grad_fn: str | None  # id of its function
    output_nr: NotRequired[int]  # which output of its function, where there are several
    retains_grad: Value
    dtype: str  # `float32`
    shape: list[int]
    device: str
    version: Value
    source: Any  # Source or unknown
    before: State
    after: State
    gradient: Value  # d root / d tensor where it was measured; not to be confused with grad


class Graph:
    """A backward graph: functions and tensors, with what they held before and after `backward()`.

    roots: ids of the tensors that backward starts from.
    steps: ids of the functions in the order in which the engine ran them (empty if it did not run).
    error: what backward raised, as one line, or None.
    note: of a folded graph, what was folded, in words.
    marks: texts by the ids of functions and tensors, which pictures show on what holds these.
    scale: of a GradScaler, where it is divided out of the gradients here.
    order: what the numbers of the steps mean: torch's order, or the one of textbooks (`playback.reordered`).
    harmed: ids of functions and leaves on the way from what is marked to what suffers from it.
    """

    def __init__(
        self,
        build: Callable[[], networkx.MultiDiGraph[Any]],
        *,
        roots: list[str],
        steps: list[str] | None = None,
        error: str | None = None,
        note: str = "",
    ) -> None:
        self._build: Callable[[], networkx.MultiDiGraph[Any]] | None = build
        self._network: networkx.MultiDiGraph[Any] | None = None
        self.roots = roots
        self.steps = steps or []
        self.error = error
        self.note = note
        self.marks: dict[str, str] = {}
        self.harmed: set[str] = set()
        self.scale: float | None = None
        self.order: Order = "engine"
        self._refinements: list[Callable[[networkx.MultiDiGraph[Any]], None]] = []

    @property
    def network(self) -> networkx.MultiDiGraph[Any]:
        """The networkx graph, made when it is first asked for."""
        if self._network is None:
            assert self._build is not None
            self._network = self._build()
            self._build = None
            for refine in self._refinements:
                refine(self._network)
            self._refinements.clear()
        return self._network

    @property
    def ran(self) -> bool:
        """Whether backward went through it, as far as that is known: of a large graph there are no steps."""
        if self.steps or self.error is not None:
            return True
        if any(not is_unknown(function["step"]) for _, function in self.functions()):
            return False
        held = [self[root]["after"]["data"] for root in self.roots if root in self.network]
        return any(not is_unknown(value) for value in held)

    def make(self) -> None:
        """Make the network now, while what it is made from is at hand."""
        _ = self.network

    def refine(self, step: Callable[[networkx.MultiDiGraph[Any]], None]) -> None:
        """Have `step` complete the attributes of the network, now or when it is made."""
        if self._network is not None:
            step(self._network)
        else:
            self._refinements.append(step)

    def at(self, moment: Moment) -> networkx.MultiDiGraph[Any]:
        """A read-only networkx graph of one moment, whose nodes answer `data` and `grad` directly.

        moment: "before" or "after".
        """
        if moment not in MOMENTS:
            raise ValueError(f"no moment {moment!r}; the moments are: {', '.join(MOMENTS)}")
        view: Any = networkx.MultiDiGraph()  # of its edges with keys the stubs know nothing
        for identifier, attributes in self.network.nodes(data=True):
            shared = {key: value for key, value in attributes.items() if key not in MOMENTS}
            view.add_node(identifier, **shared, **attributes[moment])
        view.add_edges_from(self.network.edges(keys=True, data=True))
        frozen: networkx.MultiDiGraph[Any] = networkx.freeze(view)
        return frozen

    def __getitem__(self, identifier: str) -> dict[str, Any]:
        """The attributes of the node with this id (a `FunctionAttributes` or `TensorAttributes`)."""
        attributes: dict[str, Any] = self.network.nodes[identifier]
        return attributes

    def functions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(id, attributes) of every function, in walk order."""
        return self._of_kind("function")

    def tensors(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(id, attributes) of every tensor, in walk order."""
        return self._of_kind("tensor")

    def edges(self, kind: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(source, target, attributes) of every edge of one kind: next, grad_fn, accumulate or saved."""
        for source, neighbours in self.network.adjacency():  # three times as fast as `network.edges(data=True)`
            for target, parallel in neighbours.items():
                for attributes in parallel.values():
                    if attributes["kind"] == kind:
                        yield source, target, attributes

    def _of_kind(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for identifier, attributes in self.network.nodes(data=True):
            if attributes["kind"] == kind:
                yield identifier, attributes
