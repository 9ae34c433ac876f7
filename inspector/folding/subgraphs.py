"""Parts of a graph: the paths between two tensors, the surroundings of a Node, the Nodes of a finding.

Everything else goes into at most four boxes, by position, so that no Node is lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from inspector.folding.boxes import FoldedBox, Item, functions_of, item_id, members
from inspector.folding.folded_graph import items_of, make_folded_graph, whole_of
from inspector.graph import Graph
from inspector.graph.topology import topology_of

_REST = {
    (True, False): "nearer to the root",
    (False, True): "nearer to the leaves",
    (True, True): "in between",
    (False, False): "elsewhere",
}
"""(it reaches the part, the part reaches it) → what the box of it is called."""

Following = Sequence[Sequence[int]]


def on_paths(graph: Graph, start: str, end: str) -> set[str]:
    """The ids of all functions and boxes on a way from one tensor to the other, in whichever direction that is.

    start, end: the name of a tensor, or the id of a tensor, a function or a box. Empty if there is no way.
    Raises KeyError for what is not in the graph.
    """
    around = _Surroundings(graph)
    first, last = around.find(start), around.find(end)
    ids = topology_of(whole_of(graph)).ids
    return {item_id(ids, around.items[index]) for index in around.between(first, last)}


def between(graph: Graph, start: str, end: str) -> Graph:
    """Only what `on_paths` finds; all else in boxes. Raises KeyError as it does, LookupError for no way."""
    around = _Surroundings(graph)
    kept = around.between(around.find(start), around.find(end))
    if not kept:
        raise LookupError(f"no gradient flows between {start} and {end}")
    return around.only(kept)


def neighbourhood(graph: Graph, node: str, distance: int = 2) -> Graph:
    """What lies at most so many edges from a tensor, function or box; all else in boxes. Raises KeyError."""
    return touched(graph, [node], distance)


def touched(graph: Graph, nodes: Iterable[str], distance: int = 1) -> Graph:
    """The nodes of a finding, with what lies at most so many edges away; all else in boxes. Raises KeyError."""
    around = _Surroundings(graph)
    return around.only(around.near({around.find(node) for node in nodes}, distance))


class _Surroundings:
    """The items of a graph and the edges between them."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._whole = whole_of(graph)
        self.items = items_of(graph)
        of = self._of = topology_of(self._whole)
        self._owner = dict(functions_of(self.items))
        self._following: list[list[int]] = [[] for _ in self.items]
        self._before: list[list[int]] = [[] for _ in self.items]
        for position, index in self._owner.items():
            for target in of.following(position):
                other = self._owner[target]
                if other != index:
                    self._following[index].append(other)
                    self._before[other].append(index)

    def find(self, name: str) -> int:
        """The index of the item that a name or an id means. Raises KeyError."""
        for index, item in enumerate(self.items):
            if isinstance(item, FoldedBox) and item_id(self._of.ids, item) == name:
                return index
        if name in self._of.index:
            return self._owner[self._of.index[name]]
        tensors = [name] if name in self._whole.network else self._named(name)
        for tensor in tensors:
            function = self._function(tensor)
            if function is not None:
                return self._owner[self._of.index[function]]
        raise KeyError(f"no gradient flows through a tensor or Node called {name!r}")

    def near(self, start: Collection[int], distance: int) -> set[int]:
        """Items at most so many edges away, either way; not by way of a leaf, which may be shared by thousands."""
        found, border = set(start), set(start)
        for _ in range(distance):
            beside = (other for index in border for other in (*self._following[index], *self._before[index]))
            new = set(beside) - found
            found |= new
            border = {index for index in new if not self._is_leaf(index)}
        return found

    def between(self, first: int, last: int) -> set[int]:
        """Items on a way between two, in either direction."""
        for start, end in ((first, last), (last, first)):
            found = _reached({start}, self._following) & _reached({end}, self._before)
            if found:
                return found
        return set()

    def only(self, kept: set[int]) -> Graph:
        """The kept items with the leaves that only they use, all others in boxes."""
        kept = kept | {index for index in range(len(self.items)) if self._is_leaf_of(index, kept)}
        above = _reached(kept, self._before) - kept
        below = _reached(kept, self._following) - kept
        groups: dict[tuple[bool, bool], list[int]] = {}
        for index, item in enumerate(self.items):
            if index not in kept:
                groups.setdefault((index in above, index in below), []).extend(members(item))
        shown: list[Item] = [self.items[index] for index in kept]
        for place, positions in groups.items():
            shown.append(FoldedBox("rest", _REST[place], (), sorted(positions)))
        return make_folded_graph(self._whole, shown)

    def _is_leaf_of(self, index: int, kept: Collection[int]) -> bool:
        return self._is_leaf(index) and all(user in kept for user in self._before[index])

    def _is_leaf(self, index: int) -> bool:
        item = self.items[index]
        return not isinstance(item, FoldedBox) and bool(self._of.functions[item]["is_leaf"])

    def _named(self, name: str) -> list[str]:
        return [key for key, tensor in self._whole.tensors() if tensor["name"] == name]

    def _function(self, tensor: str) -> str | None:
        """The function that made a tensor, or the AccumulateGrad of a leaf."""
        attributes = self._whole[tensor]
        if attributes["kind"] == "tensor" and attributes["grad_fn"] in self._of.index:
            return str(attributes["grad_fn"])
        arriving = self._whole.network.in_edges(tensor, data=True)
        return next((source for source, _, edge in arriving if edge["kind"] == "accumulate"), None)


def _reached(start: Collection[int], following: Following) -> set[int]:
    """Everything that can be reached from some items, these included."""
    found, waiting = set(start), list(start)
    while waiting:
        for other in following[waiting.pop()]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found
