"""Find Nodes of earlier calls in a graph, and earlier graphs that are still alive, with their holders.

The `metadata` of a Node, which torch keeps with it, has the calls whose graphs contained it: sequence numbers do
not identify Nodes where several threads create them. A graph is alive as long as an object in the metadata of its
root Node is: only a weak reference to that object is held, and nothing of the graph.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any

import torch
from msgspec import Struct

from inspector.graph.traversal import reach
from inspector.report.row_types import Alive, Contained
from inspector.torch_api.nodes import ACCUMULATE_GRAD_NUMBER, SEQUENCE_NUMBERS, sequence_counter
from inspector.tracing.ids import Ids
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.node_reader import FULL_NODES
from inspector.tracing.traced_graph import TracedGraph
from inspector.tracing.walk import AutogradNode, Walk
from inspector.user_code.variable_names import Names

MOST_CALLS = 16
"""Maximum number of earlier calls remembered: `--watch` may ask for all calls of a script."""

MOST_SEARCHED = 1_000
"""Maximum Nodes searched for holders of earlier graphs. A running sum has one Node per call."""

MOST_SHOWN = 9
"""Maximum number of listed Nodes that lead into an earlier graph."""

_KEY = "autograd-inspector call"

_next_number = sequence_counter()

_recordings = count()


class _Mark:
    """An object in the metadata of a root Node. number: that of the next Node when the call started."""

    __slots__ = ("__weakref__", "index", "number")

    def __init__(self, index: int, number: int) -> None:
        self.index = index
        self.number = number


class _Earlier(Struct, frozen=True):
    """What a graph contains of an earlier call. positions: of the Nodes. root: whether its first root is one."""

    positions: set[int]
    root: bool


class _Begun(Struct, frozen=True):
    """A call that has begun. number: that of the next Node when it began. earlier: by call, what its graph
    contains."""

    number: int
    earlier: dict[int, _Earlier]


class RetainedGraphs:
    """Remembers the recorded calls: `begins` and `ends` around each.

    source: returns the user's line that created a Node.
    """

    def __init__(self, source: Callable[[AutogradNode], Any]) -> None:
        self._source = source
        self._key = f"{_KEY}s of recording {next(_recordings)}"
        self._numbers: deque[tuple[int, int]] = deque(maxlen=MOST_CALLS)  # calls that ended, as in `_Begun`
        self._marks: deque[weakref.ref[_Mark]] = deque(maxlen=MOST_CALLS)
        self._begun: dict[int, _Begun] = {}  # calls that have begun and not ended

    def begins(self, index: int, walk: Walk, names: Names) -> list[Alive]:
        """A call starts: rows for the earlier graphs that are alive, each with its holder if that is found.

        Not if this graph was created before the earlier call: several losses may be computed before the first
        backward.
        """
        if not SEQUENCE_NUMBERS.is_available or not walk.roots:  # they identify Nodes
            return []
        self._begun[index] = _Begun(_next_number(), self._tagged(index, walk))
        root = walk.structure.sequence_nrs[walk.roots[0][0]]
        marks = [mark for reference in self._marks if (mark := reference()) is not None]
        alive = {mark.index for mark in marks if mark.number <= root}
        holders = self._holders(alive, walk, names) if alive else {}
        if root != ACCUMULATE_GRAD_NUMBER:
            mark = _Mark(index, _next_number())
            walk.nodes[walk.roots[0][0]].metadata.setdefault(_KEY, mark)
            self._marks.append(weakref.ref(mark))
        found = [(call, *holders.get(call, _NO_HOLDER)) for call in sorted(alive)]
        return [{"backward_call": call, "holder": holder, "source": source} for call, holder, source in found]

    def _tagged(self, index: int, walk: Walk) -> dict[int, _Earlier]:
        """Note a call in the metadata of its Nodes; returns what its graph contains of earlier calls."""
        if len(walk.nodes) > FULL_NODES:
            return {}
        positions: dict[int, set[int]] = {}
        roots: set[int] = set()
        first, usual = walk.roots[0][0], (frozenset({index}), frozenset[int]())
        for position, (node, name) in enumerate(zip(walk.nodes, walk.structure.names, strict=True)):
            if name == ACCUMULATE_GRAD:  # each graph contains that of a parameter
                continue
            metadata = node.metadata
            calls, rooted = metadata.get(self._key, _NO_CALLS)
            for call in calls:
                positions.setdefault(call, set()).add(position)
            roots |= rooted
            is_new = not calls and position != first  # nearly all
            own = {index} if position == first else set()
            metadata[self._key] = usual if is_new else (calls | {index}, rooted | own)
        return {call: _Earlier(its, call in roots) for call, its in positions.items()}

    def ends(self, index: int, record: TracedGraph) -> list[Contained]:
        """A call has ended: rows for the earlier calls whose Nodes its graph contains."""
        begun = self._begun.pop(index, None)
        if begun is None:
            return []
        last = max(
            (number for number in record.structure.sequence_nrs if number != ACCUMULATE_GRAD_NUMBER), default=-1
        )
        rows: list[Contained] = [
            {
                "backward_call": call,
                "nodes": len(earlier.positions),
                "root": earlier.root,
                "through": _into(earlier.positions, record),
                "shared": _first(earlier.positions, record),
                "later": last >= began,
            }
            for call, began in self._numbers
            if (earlier := begun.earlier.get(call)) is not None
        ]
        self._numbers.append((index, begun.number))
        return rows

    def _holders(self, alive: set[int], walk: Walk, names: Names) -> dict[int, _Holder]:
        """By call, the tensor outside of this graph that leads to its root, preferably also to other roots."""
        found: list[tuple[set[int], _Holder]] = []
        left = MOST_SEARCHED
        for tensor, _, _ in names.rows():
            node = _grad_fn(tensor)
            if node is None or node in walk.index:
                continue
            reached: set[int] = set()
            for other in _below(node, walk, left):
                left -= 1
                mark = other.metadata.get(_KEY)
                if mark is not None and mark.index in alive:
                    reached.add(mark.index)
            if reached:
                found.append((reached, (names.name(tensor), self._source(node))))
        found.sort(key=lambda item: -len(item[0]))  # stable: equals keep the order of the script
        return {call: holder for reached, holder in reversed(found) for call in reached}


_NO_CALLS: tuple[frozenset[int], frozenset[int]] = frozenset(), frozenset()
"""In the metadata of a Node: the calls whose graphs contained it, and those whose first root it was."""

_Holder = tuple[str | None, Any]
"""The script's name for the tensor that holds a graph, and where it was created."""
_NO_HOLDER: _Holder = (None, None)


def _into(nodes: set[int], record: TracedGraph) -> list[str]:
    """The ids of the first Nodes outside of this set that lead into it."""
    edges = record.structure.edges()
    sources = [source for source, _, target, _ in edges if target in nodes and source not in nodes]
    ids = Ids(record)
    return [ids.function(position) for position in dict.fromkeys(sources)][:MOST_SHOWN]


def _first(nodes: set[int], record: TracedGraph) -> list[str]:
    """The ids of the first Nodes of this set."""
    ids = Ids(record)
    return [ids.function(position) for position in sorted(nodes)[:MOST_SHOWN]]


def _grad_fn(tensor: torch.Tensor) -> AutogradNode | None:
    try:
        return tensor.grad_fn
    except RuntimeError:  # a view whose base was changed where autograd forbids it
        return None


def _below(node: AutogradNode, walk: Walk, most: int) -> Iterator[AutogradNode]:
    """A Node and the Nodes under it, nearest first, without those of a walk."""

    def inputs(current: AutogradNode) -> Iterator[AutogradNode]:
        targets = (target for target, _ in current.next_functions)
        return (target for target in targets if target is not None and target not in walk.index)

    return islice(reach([node], inputs), most)
