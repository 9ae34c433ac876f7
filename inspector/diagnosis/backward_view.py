"""A backward call with the lookups that rules need."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar, cast

from inspector.graph.row_types import FunctionRow, TensorRow
from inspector.graph.topology import Topology, topology_of
from inspector.graph.traversal import reach
from inspector.graph.value_norms import value_norm
from inspector.graph.values import Value, is_unknown
from inspector.report import BackwardCall

_Found = TypeVar("_Found")


class GradientEdge(NamedTuple):
    """A `next` edge from a Node (`source`) to the one its gradient flows to (`target`)."""

    source: str
    target: str
    slot: int
    input_nr: int
    gradient: Value


class BackwardView:
    """Lookups in the graph of one backward call. All ids are those of report.json."""

    def __init__(self, call: BackwardCall) -> None:
        self.row = call
        self.index = call.index
        self.graph = call.graph
        self.functions: dict[str, FunctionRow] = dict(call.graph.functions())
        """The Nodes, in walk order."""
        self.tensors: dict[str, TensorRow] = dict(call.graph.tensors())
        self._analyses: dict[Callable[[BackwardView], Any], Any] = {}

    def once(self, analysis: Callable[[BackwardView], _Found]) -> _Found:
        """What an analysis of the whole call returns; the rules that ask for it share one run."""
        if analysis not in self._analyses:
            self._analyses[analysis] = analysis(self)
        return cast(_Found, self._analyses[analysis])

    @functools.cached_property
    def topology(self) -> Topology:
        """The index of the graph."""
        return topology_of(self.graph)

    @functools.cached_property
    def next_edges(self) -> dict[str, list[GradientEdge]]:
        """The edges that leave each Node, by slot, to the Nodes of its inputs."""
        of = self.topology
        return {
            source: [
                GradientEdge(source, of.ids[target], row["slot"], row["input_nr"], row["gradient"])
                for target, row in of.leaving(position)
            ]
            for position, source in enumerate(of.ids)
            if of.following(position)
        }

    @functools.cached_property
    def incoming(self) -> dict[str, list[GradientEdge]]:
        """The edges that arrive at each Node, by slot, from the Nodes that used its output."""
        found: dict[str, list[GradientEdge]] = {}
        for edges in self.next_edges.values():
            for edge in edges:
                found.setdefault(edge.target, []).append(edge)
        for edges in found.values():
            edges.sort(key=lambda edge: edge.slot)
        return found

    @property
    def outputs(self) -> dict[str, list[str]]:
        """The known output tensors of each Node, by output number; for an AccumulateGrad, its leaf."""
        return self.topology.made

    @property
    def leaf_of(self) -> dict[str, str]:
        """The leaf of each AccumulateGrad."""
        return self.topology.leaves

    @functools.cached_property
    def knows_saved(self) -> bool:
        """Whether saved tensors were read; for a large graph in a light call at most those of the Node at which
        backward failed."""
        with_some = sum(bool(function["saved"]) for function in self.functions.values())
        return with_some > (self.graph.error is not None)

    @functools.cached_property
    def saved(self) -> dict[str, dict[str, str]]:
        """The saved tensors of each Node, by name: `{"self": "t3"}`."""
        return {
            identifier: {row["name"]: row["tensor"] for row in function["saved"] if row["tensor"] is not None}
            for identifier, function in self.functions.items()
        }

    def towards_leaves(self, starts: Iterable[str]) -> Iterator[str]:
        """All Nodes that the gradient of these Nodes reaches, including themselves, breadth first."""
        return reach(starts, self.inputs_of)

    def towards_root(self, starts: Iterable[str]) -> Iterator[str]:
        """All Nodes whose gradient reaches these Nodes, including themselves, breadth first."""
        return reach(starts, self.users_of)

    def inputs_of(self, node: str) -> list[str]:
        """The Nodes that created the inputs of a Node, by slot."""
        return [edge.target for edge in self.next_edges.get(node, ())]

    def users_of(self, node: str) -> list[str]:
        """The Nodes that used the outputs of a Node, by slot."""
        return [edge.source for edge in self.incoming.get(node, ())]

    def leaves_under(self, starts: Iterable[str]) -> list[str]:
        """The ids of the leaves whose gradient passes through one of these Nodes, in walk order."""
        reached = set(self.towards_leaves(starts))
        return [leaf for node, leaf in self.leaf_of.items() if node in reached]

    def names(self, tensors: Iterable[str]) -> list[str]:
        """The names of these tensors: the script's name, else the source text, else the id."""
        return [self.name(identifier) for identifier in tensors]

    def name(self, tensor: str) -> str:
        row = self.tensors[tensor]
        if row["name"] is not None and "pass" in row:
            return f"{row['name']} (pass {row['pass']})"
        return str(row["name"] or row.get("expression") or tensor)

    def leaves_affected_by(self, nodes: Iterable[str]) -> list[str]:
        """The names of the leaves whose gradient passes through one of these Nodes."""
        return self.names(self.leaves_under(nodes))

    def location(self, node: str) -> Any:
        """The line that created a Node, and the part of it; if unknown, of the nearest Node towards the root."""
        for other in self.towards_root([node]):
            source = self.functions[other]["source"]
            if source is not None and not is_unknown(source):
                part = self._part(other, source["code"])
                return source if part is None else source | {"part": part}
        return self.functions[node]["source"]

    def _part(self, node: str, code: str) -> str | None:
        """The source text that computed the output of a Node, if it is part of its line."""
        texts = [self.tensors[output].get("expression") for output in self.outputs.get(node, ())]
        return next((text for text in texts if text and text in code), None)

    def arrived(self, node: str) -> float | None:
        """The norm of the gradient that arrived at a Node (of all its outputs); None if unknown or None."""
        return value_norm(self.functions[node]["gradient"])
