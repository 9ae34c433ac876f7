"""The Graph that every later stage reads, whether it was just traced or loaded from a file.

`Graph.rows` has two kinds of nodes, `function` (an autograd Node) and `tensor`, and four kinds of edges, all
pointing the way the gradient flows; `Graph.network` is the same as a networkx MultiDiGraph. The attributes of
nodes and edges are dictionaries that hold plain values (`inspector.graph.values`) and are also the rows of
`report.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, cast, overload

from msgspec import Struct, field

from inspector.graph.row_types import (
    AccumulateEdge,
    EdgeRow,
    FlowEdge,
    FoldRow,
    FunctionRow,
    GradFnEdge,
    NextEdge,
    NodeRow,
    SavedEdge,
    TensorRow,
)
from inspector.graph.rows import Rows
from inspector.graph.values import is_unknown
from inspector.options.choices import Order

if TYPE_CHECKING:
    import networkx

    from inspector.graph.topology import Topology

Moment = Literal["before", "after"]
MOMENTS: tuple[Moment, Moment] = ("before", "after")


class Marks(Struct):
    """What the findings mark in a graph, by ids of functions and tensors.

    texts: texts that figures show at the boxes that contain these. harmed: the path from a marked node to the
    affected leaves.
    """

    texts: dict[str, str] = field(default_factory=dict)
    harmed: set[str] = field(default_factory=set)


class RowSource(Protocol):
    """Makes the rows of a graph: all of them, or before that single ones. A row that was made stays the same."""

    def rows(self) -> Rows:
        """All rows."""
        ...

    def row(self, identifier: str) -> NodeRow:
        """The attributes of one node. Raises KeyError if there is none with this id."""
        ...

    def out_edges(self, identifier: str) -> Iterable[tuple[str, EdgeRow]]:
        """As `Rows.out_edges`, in the same order, without the `next` edges."""
        ...

    def in_walk_order(self, identifiers: Iterable[str]) -> list[str]:
        """These ids in the order of the rows."""
        ...

    def topology(self, roots: list[str]) -> Topology:
        """The index of the graph, whose columns do not need its rows. roots: ids of tensors."""
        ...

    @property
    def has_steps(self) -> bool:
        """Whether it is known which functions the engine ran."""
        ...


class _LateRows:
    """Rows that are built on first use, and completed by every step that was asked for.

    source: makes single rows until all are built. built: the rows. refinements: steps that wait for the first use.
    """

    def __init__(self, build: Callable[[], Rows] | RowSource) -> None:
        self.source: RowSource | None = None if callable(build) else build
        self._build: Callable[[], Rows] | None = build if callable(build) else build.rows
        self._built: Rows | None = None
        self._refinements: list[Callable[[Graph], None]] = []

    def of(self, graph: Graph) -> Rows:
        if self._built is None:
            assert self._build is not None
            self._built = self._build()
            self._build = self.source = None
            self._complete(graph)
        return self._built

    def one(self, graph: Graph, identifier: str) -> Any:
        self._complete(graph)
        return self.of(graph).nodes[identifier] if self.source is None else self.source.row(identifier)

    def refine(self, graph: Graph, step: Callable[[Graph], None]) -> None:
        if self._built is not None:
            step(graph)
        else:
            self._refinements.append(step)

    def _complete(self, graph: Graph) -> None:
        steps, self._refinements = self._refinements, []
        for step in steps:
            step(graph)


class Graph:
    """A backward graph: functions and tensors, with their states before and after `backward()`.

    roots: ids of the tensors where backward starts.
    steps: ids of the functions in the order in which the engine ran them (empty if it did not run).
    error: the exception raised by backward, as one line, or None.
    note: what was folded, for a folded graph.
    marks: what the findings mark.
    scale: the GradScaler's scale, if the gradients are divided by it.
    order: the meaning of the step numbers: torch's order, or the textbook order (`step_replay.reordered`).
    """

    def __init__(
        self,
        build: Callable[[], Rows] | RowSource,
        *,
        roots: list[str],
        steps: list[str] | None = None,
        error: str | None = None,
        note: str = "",
    ) -> None:
        self._rows = _LateRows(build)
        self.roots = roots
        self.steps = steps or []
        self.error = error
        self.note = note
        self.marks = Marks()
        self.scale: float | None = None
        self.order: Order = "engine"

    _notebook_view: ClassVar[Callable[[Graph], dict[str, str]] | None] = None

    @classmethod
    def shown_in_notebooks_by(cls, view: Callable[[Graph], dict[str, str]]) -> None:
        """Set what notebooks show of a Graph: a function to its representations by MIME type."""
        cls._notebook_view = view

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """For a notebook. Without a view: the ordinary text."""
        view = Graph._notebook_view
        return {"text/plain": repr(self)} if view is None else view(self)

    @property
    def rows(self) -> Rows:
        """The nodes and edges, built on first use."""
        return self._rows.of(self)

    @property
    def source(self) -> RowSource | None:
        """What makes single rows, until all are built; None if there is no such source."""
        return self._rows.source

    @property
    def network(self) -> networkx.MultiDiGraph[Any]:
        """The networkx graph, with the same dictionaries as `rows`."""
        return self.rows.network()

    @property
    def ran(self) -> bool:
        """Whether backward ran through the graph, as far as known: large graphs have no steps."""
        if self.steps or self.error is not None:
            return True
        if self._has_known_steps:
            return False
        held = [self[root]["after"]["data"] for root in self.roots if root in self]
        return any(not is_unknown(value) for value in held)

    @cached_property
    def _has_known_steps(self) -> bool:
        if self.source is not None:
            return self.source.has_steps
        return any(not is_unknown(function["step"]) for _, function in self.functions())

    @cached_property
    def has_boxes(self) -> bool:
        """Whether some of the nodes are boxes of several functions."""
        return self.source is None and any(True for _ in self.folds())

    def make(self) -> None:
        """Build the rows now, while their source is available."""
        _ = self.rows

    def refine(self, step: Callable[[Graph], None]) -> None:
        """Call `step` to complete the attributes of the rows, now or when they are built."""
        self._rows.refine(self, step)

    def at(self, moment: Moment) -> networkx.MultiDiGraph[Any]:
        """A read-only networkx graph of one moment, whose nodes have `data` and `grad` as attributes.

        moment: "before" or "after".
        """
        if moment not in MOMENTS:
            raise ValueError(f"unknown moment {moment!r}; choose from: {', '.join(MOMENTS)}")
        import networkx

        view: Any = networkx.MultiDiGraph()  # the stubs do not declare edges with keys
        for identifier, attributes in self.rows.nodes.items():
            shared = {key: value for key, value in attributes.items() if key not in MOMENTS}
            view.add_node(identifier, **shared, **attributes[moment])
        view.add_edges_from(self.network.edges(keys=True, data=True))
        frozen: networkx.MultiDiGraph[Any] = networkx.freeze(view)
        return frozen

    def __getitem__(self, identifier: str) -> NodeRow:
        """The attributes of the node with this id, a `function` or a `tensor`."""
        return cast(NodeRow, self._rows.one(self, identifier))

    def __contains__(self, identifier: object) -> bool:
        """Whether there is a node with this id."""
        if self.source is None:
            return identifier in self.rows
        try:
            self.source.row(str(identifier))
        except KeyError:
            return False
        return True

    def function(self, identifier: str) -> FunctionRow:
        """The attributes of a function."""
        return cast(FunctionRow, self._rows.one(self, identifier))

    def tensor(self, identifier: str) -> TensorRow:
        """The attributes of a tensor."""
        return cast(TensorRow, self._rows.one(self, identifier))

    def name_of_grad_fn(self, tensor: TensorRow) -> str | None:
        """The name of a tensor's grad_fn; None if it has none.

        "in a box" if the graph was saved folded and has only the box that contains it.
        """
        grad_fn = tensor["grad_fn"]
        if grad_fn is None:
            return None
        return self.function(grad_fn)["name"] if grad_fn in self else "in a box"

    def nodes(self) -> Iterator[tuple[str, NodeRow]]:
        """(id, attributes) of every node, in walk order."""
        return iter(cast("Iterable[tuple[str, NodeRow]]", self.rows.nodes.items()))

    def functions(self) -> Iterator[tuple[str, FunctionRow]]:
        """(id, attributes) of every function, in walk order."""
        return self._of_kind("function")

    def tensors(self) -> Iterator[tuple[str, TensorRow]]:
        """(id, attributes) of every tensor, in walk order."""
        return self._of_kind("tensor")

    def folds(self) -> Iterator[tuple[str, FoldRow]]:
        """(id, attributes) of every box, in walk order."""
        return self._of_kind("fold")

    @overload
    def edges(self, kind: Literal["next"]) -> Iterator[tuple[str, str, NextEdge]]: ...
    @overload
    def edges(self, kind: Literal["grad_fn"]) -> Iterator[tuple[str, str, GradFnEdge]]: ...
    @overload
    def edges(self, kind: Literal["accumulate"]) -> Iterator[tuple[str, str, AccumulateEdge]]: ...
    @overload
    def edges(self, kind: Literal["saved"]) -> Iterator[tuple[str, str, SavedEdge]]: ...
    @overload
    def edges(self, kind: Literal["flow"]) -> Iterator[tuple[str, str, FlowEdge]]: ...
    def edges(self, kind: str) -> Iterator[tuple[str, str, Any]]:
        """(source, target, attributes) of every edge of one kind: next, grad_fn, accumulate, saved or flow."""
        for edge in self.rows.edges():
            if edge[2]["kind"] == kind:
                yield edge

    def all_edges(self) -> Iterator[tuple[str, str, EdgeRow]]:
        """(source, target, attributes) of every edge."""
        return self.rows.edges()

    def _of_kind(self, kind: str) -> Iterator[tuple[str, Any]]:
        return (item for item in self.rows.nodes.items() if item[1]["kind"] == kind)
