"""The functions of a Graph and their `next` edges as dense columns, which every view reads.

A view of a million Nodes must not copy subgraphs: it works on positions (the k-th function in walk order).
"""

from __future__ import annotations

import weakref
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from inspector.graph import Graph
from inspector.graph.row_types import FunctionRow, NextEdge

Path = tuple[str, ...]
"""The path of a module in parts: `blocks.3.attn` is ("blocks", "3", "attn"); () is the outermost module's, and
that of what ran in no module."""


@dataclass(slots=True)
class Topology:
    """Columns by position.

    index: id → position. starts, targets: the edges of function k lead to targets[starts[k] : starts[k + 1]],
    by slot; `edges` are their attributes. leaves: position of an AccumulateGrad → id of its leaf.
    roots: positions of the functions that backward starts from.
    """

    ids: list[str]
    functions: list[FunctionRow]
    index: dict[str, int]
    starts: array[int]
    targets: array[int]
    edges: list[NextEdge]
    leaves: dict[int, str]
    roots: list[int]

    def __len__(self) -> int:
        return len(self.ids)

    def following(self, position: int) -> Sequence[int]:
        """Where the edges of a function lead, by slot."""
        return self.targets[self.starts[position] : self.starts[position + 1]]

    def slots(self, position: int) -> Iterator[tuple[int, int, int]]:
        """(slot, input_nr, target) of the edges of a function, by slot."""
        for edge in range(self.starts[position], self.starts[position + 1]):
            attributes = self.edges[edge]
            yield attributes["slot"], attributes["input_nr"], self.targets[edge]


def topology_of(graph: Graph) -> Topology:
    """The Topology of an unfolded Graph, made once."""
    found = _made.get(graph)
    if found is None:
        found = _made[graph] = _build_topology(graph)
    return found


_made: weakref.WeakKeyDictionary[Graph, Topology] = weakref.WeakKeyDictionary()


def _build_topology(graph: Graph) -> Topology:
    network = graph.network
    functions = dict(graph.functions())
    ids = list(functions)
    index = {identifier: position for position, identifier in enumerate(ids)}
    targets, edges = array("i"), list[NextEdge]()
    counts, leaves = array("i", [0]), dict[int, str]()
    for identifier, neighbours in network.adjacency():
        position = index.get(identifier, -1)
        if position < 0:
            continue
        found = []
        for target, parallel in neighbours.items():
            for attributes in parallel.values():
                if attributes["kind"] == "next":
                    found.append((attributes["slot"], index[target], attributes))
                elif attributes["kind"] == "accumulate":
                    leaves[position] = target
        if len(found) > 1:
            found.sort(key=_slot)
        targets.extend([target for _, target, _ in found])
        edges.extend([attributes for _, _, attributes in found])
        counts.append(len(found))
    starts = array("i", accumulate(counts))
    roots = _roots(graph, index)
    return Topology(ids, list(functions.values()), index, starts, targets, edges, leaves, roots)


def _slot(edge: tuple[int, int, NextEdge]) -> int:
    return edge[0]


def _roots(graph: Graph, index: dict[str, int]) -> list[int]:
    """The functions of the roots; of a root that is a leaf its AccumulateGrad."""
    found = []
    for root in graph.roots:
        if root not in graph.network:
            continue
        function = graph.tensor(root)["grad_fn"]
        arriving = graph.network.in_edges(root, data=True)
        sources = [source for source, _, edge in arriving if edge["kind"] == "accumulate"]
        found += [index[name] for name in (function, *sources) if name is not None and name in index]
    return list(dict.fromkeys(found))


def topological_order(of: Topology) -> array[int]:
    """The turn of each function in one topological order, from the roots on (the same in every process)."""
    waiting = array("i", bytes(4 * len(of)))
    for target in of.targets:
        waiting[target] += 1
    order = [position for position in range(len(of)) if not waiting[position]]
    result = array("i", bytes(4 * len(of)))
    starts, targets = of.starts, of.targets
    for turn, position in enumerate(order):  # grows while it is read
        result[position] = turn
        for target in targets[starts[position] : starts[position + 1]]:
            waiting[target] -= 1
            if not waiting[target]:
                order.append(target)
    return result


@dataclass(slots=True)
class Arrivals:
    """The edges by their targets: those into function k come from sources[starts[k] : starts[k + 1]].

    numbers: which output of the target each edge belongs to.
    """

    starts: array[int]
    sources: array[int]
    numbers: array[int]

    def of(self, position: int) -> Sequence[int]:
        """The functions that send a gradient to this one, once for every edge."""
        return self.sources[self.starts[position] : self.starts[position + 1]]

    def outputs_entered(self, position: int, inside: Collection[int]) -> set[int]:
        """Through which outputs of a function gradients arrive from functions that are not `inside`."""
        edges = range(self.starts[position], self.starts[position + 1])
        return {self.numbers[edge] for edge in edges if self.sources[edge] not in inside}


def arrivals(of: Topology) -> Arrivals:
    """The edges of a Topology by their targets, in walk order of the sources."""
    counts = array("i", bytes(4 * (len(of) + 1)))
    for target in of.targets:
        counts[target + 1] += 1
    starts = array("i", accumulate(counts))
    free = array("i", starts)
    found = array("i", bytes(4 * len(of.targets)))
    numbers = array("i", found)
    for position in range(len(of)):
        for edge in range(of.starts[position], of.starts[position + 1]):
            target = of.targets[edge]
            place = free[target]
            free[target] = place + 1
            found[place], numbers[place] = position, of.edges[edge]["input_nr"]
    return Arrivals(starts, found, numbers)


def paths(of: Topology, named: list[Path] | None = None) -> list[Path]:
    """The module path of every function; of an AccumulateGrad, the innermost module that holds all its users.

    named: the paths of functions where they were not recorded.
    """
    result = _recorded(of) if named is None else list(named)
    users: dict[int, Path] = {}
    for position in range(len(of)):
        for target in of.following(position):
            if of.functions[target]["is_leaf"]:
                mine = result[position]
                users[target] = common(users[target], mine) if target in users else mine
    for leaf, path in users.items():
        result[leaf] = path
    return result


def _recorded(of: Topology) -> list[Path]:
    known: dict[str, Path] = {"": ()}
    result: list[Path] = []
    for function in of.functions:
        module = function["module"]
        if not isinstance(module, str):
            result.append(())
            continue
        path = known.get(module)
        if path is None:
            path = known[module] = tuple(module.split("."))
        result.append(path)
    return result


def common(one: Path, other: Path) -> Path:
    """The path that two paths begin with."""
    if one == other:
        return one
    length = 0
    for mine, others in zip(one, other, strict=False):
        if mine != others:
            break
        length += 1
    return one[:length]
