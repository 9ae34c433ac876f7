"""Index of a graph: order, levels, incoming edges, and the function that created each tensor.

To avoid copying a graph of a million Nodes, the index uses positions (the k-th function in walk order) and stores
the edges in columns.
"""

from __future__ import annotations

import weakref
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from itertools import accumulate

import numpy
from msgspec import Struct

from inspector.graph.columns import EdgeColumns, FunctionColumns, TensorColumns
from inspector.graph.model import Graph
from inspector.graph.row_types import NextEdge
from inspector.graph.traversal import longest_ways
from inspector.graph.values import Value

Pair = tuple[str, int]
"""(id of a function, output number): a tensor of the forward. For a leaf, the function is its AccumulateGrad."""


class Topology(Struct, eq=False, dict=True, weakref=True):
    """The functions of a graph and their `next` edges, by position.

    ids, functions: by position. starts, targets: the edges of function k go to targets[starts[k] : starts[k + 1]],
    by slot; `edges` are their attributes.
    makers: tensor → the function that created it and the output number; in a folded graph the function may be in
    a box. roots: the functions at which backward starts. tensors: what is asked of tensors.
    """

    ids: list[str]
    functions: FunctionColumns
    starts: array[int]
    targets: array[int]
    edges: EdgeColumns
    makers: dict[str, Pair]
    roots: list[int]
    tensors: TensorColumns

    def __len__(self) -> int:
        return len(self.ids)

    def following(self, position: int) -> Sequence[int]:
        """The targets of the edges of a function, by slot."""
        return self.targets[self.starts[position] : self.starts[position + 1]]

    def leaving(self, position: int) -> Iterator[tuple[int, NextEdge]]:
        """(target, attributes) of the edges of a function, by slot."""
        for edge in range(self.starts[position], self.starts[position + 1]):
            yield self.targets[edge], self.edges[edge]

    @cached_property
    def index(self) -> dict[str, int]:
        """Id → position."""
        return dict(zip(self.ids, range(len(self)), strict=True))

    @cached_property
    def leaf_index(self) -> dict[str, int]:
        """`index` of the AccumulateGrads, which are few."""
        positions = numpy.flatnonzero(numpy.frombuffer(self.leaf_flags, numpy.uint8)).tolist()
        return {self.ids[position]: position for position in positions}

    @cached_property
    def order(self) -> array[int]:
        """The functions in topological order, starting at the roots (the same in every process)."""
        return self.edges.order(self.starts, self.targets)

    @cached_property
    def turns(self) -> array[int]:
        """The index of each function in `order`."""
        turns = array("i", bytes(4 * len(self)))
        for turn, position in enumerate(self.order):
            turns[position] = turn
        return turns

    @property
    def leaf_flags(self) -> bytes:
        """For each function, 1 if it is an AccumulateGrad, else 0."""
        return self.functions.leaf_flags

    @cached_property
    def levels(self) -> array[int]:
        """The number of edges on the longest path from a root to each function."""
        return longest_ways(self.order, self.starts, self.targets)

    @cached_property
    def arrivals(self) -> IncomingEdges:
        """The edges, grouped by target."""
        return _arrivals(self)

    @cached_property
    def leaves(self) -> dict[str, str]:
        """AccumulateGrad → its leaf, in walk order."""
        index = self.leaf_index
        return {function: tensor for tensor, (function, _) in self.makers.items() if function in index}

    @cached_property
    def outputs(self) -> dict[Pair, str]:
        """(function, output number) → the tensor that it created; for an AccumulateGrad, its leaf."""
        return {pair: tensor for tensor, pair in self.makers.items()}

    @cached_property
    def several(self) -> frozenset[str]:
        """The functions of which more outputs than the first are known, or get a gradient."""
        edges = zip(self.targets, self.edges, strict=True)
        entered = {self.ids[target] for target, edge in edges if edge["input_nr"]}
        return frozenset(entered | {function for function, number in self.makers.values() if number})

    def of_output(self, output: Pair, value: Value) -> Value:
        """The part of one output in a value of its function, a list by output number if there are several."""
        function, number = output
        is_list = function in self.several and isinstance(value, list) and number < len(value)
        return value[number] if is_list else value

    @cached_property
    def made(self) -> dict[str, list[str]]:
        """Function → the tensors that it created, by output number; for an AccumulateGrad, its leaf."""
        found: dict[str, list[str]] = defaultdict(list)
        for tensor, (function, _) in self.makers.items():
            found[function].append(tensor)
        return dict(found)


class IncomingEdges(Struct):
    """The edges, grouped by target: those to function k come from sources[starts[k] : starts[k + 1]].

    numbers: the output of the target that each edge belongs to.
    """

    starts: array[int]
    sources: array[int]
    numbers: list[int]

    def of(self, position: int) -> Sequence[int]:
        """The functions that send a gradient to this one, once for every edge."""
        return self.sources[self.starts[position] : self.starts[position + 1]]

    def outputs_entered(self, position: int, inside: Collection[int]) -> set[int]:
        """The outputs of a function at which gradients arrive from functions that are not `inside`."""
        sources, found = self.sources, set()
        for edge in range(self.starts[position], self.starts[position + 1]):
            if sources[edge] not in inside:
                found.add(self.numbers[edge])
        return found


def topology_of(graph: Graph) -> Topology:
    """The index of a Graph, built once, and anew when all rows are there. Functions and edges that are added later
    are not in it."""
    source = graph.source
    known = _made if source is None else _made_of_columns
    found = known.get(graph)
    if found is None:
        found = known[graph] = _build_topology(graph) if source is None else source.topology(graph.roots)
    return found


_made: weakref.WeakKeyDictionary[Graph, Topology] = weakref.WeakKeyDictionary()
_made_of_columns: weakref.WeakKeyDictionary[Graph, Topology] = weakref.WeakKeyDictionary()


def _build_topology(graph: Graph) -> Topology:
    functions = dict(graph.functions())
    index = {identifier: position for position, identifier in enumerate(functions)}
    targets, edges = array("i"), list[NextEdge]()
    counts, makers = array("i", [0]), dict[str, Pair]()
    for identifier, neighbours in graph.rows.succ.items():
        if identifier not in index:
            row = graph[identifier]
            if row["kind"] == "tensor" and row["grad_fn"] is not None:
                makers[identifier] = row["grad_fn"], row.get("output_nr", 0)
            continue
        found = []
        for target, parallel in neighbours.items():
            for attributes in parallel.values():
                if attributes["kind"] == "next":
                    found.append((attributes["slot"], index[target], attributes))
                elif attributes["kind"] == "accumulate":
                    makers[target] = identifier, 0
        if len(found) > 1:
            found.sort(key=_slot)
        targets.extend([target for _, target, _ in found])
        edges.extend([attributes for _, _, attributes in found])
        counts.append(len(found))
    starts = array("i", accumulate(counts))
    made_by = [makers[root][0] for root in graph.roots if root in makers]
    roots = list(dict.fromkeys(index[function] for function in made_by if function in index))
    rows = FunctionColumns(list(functions.values()).__getitem__, len(functions))
    ways, tensors = EdgeColumns(edges.__getitem__, len(edges)), TensorColumns(graph.rows.nodes)
    return Topology(list(functions), rows, starts, targets, ways, makers, roots, tensors)


def _slot(edge: tuple[int, int, NextEdge]) -> int:
    return edge[0]


def _arrivals(of: Topology) -> IncomingEdges:
    """The edges of a Topology, grouped by target, with the sources in walk order."""
    targets = numpy.frombuffer(of.targets, numpy.int32) if of.targets else numpy.zeros(0, numpy.int32)
    order = numpy.argsort(targets, kind="stable")
    ends = numpy.frombuffer(of.starts, numpy.int32)
    sources = numpy.repeat(numpy.arange(len(of), dtype=numpy.int32), ends[1:] - ends[:-1])[order]
    counts = numpy.bincount(targets, minlength=len(of))
    starts = numpy.concatenate(([0], numpy.cumsum(counts))).astype(numpy.int32)
    numbers = of.edges.input_nrs  # a report may hold any integer here
    into = [numbers[edge] for edge in order.tolist()]
    return IncomingEdges(array("i", starts.tobytes()), array("i", sources.tobytes()), into)
