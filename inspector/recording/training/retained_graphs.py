"""Find Nodes of earlier calls in a graph, and earlier graphs that are still alive, with their holders.

Graphs are identified by the sequence numbers of their Nodes, which are unique per thread. A graph is alive as long
as an object in the `metadata` of its root Node is, which torch keeps with the Node: only a weak reference to that
object is held, and nothing of the graph.
"""

from __future__ import annotations

import threading
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
from inspector.tracing.walk import EMPTY, AutogradNode, Structure, Walk
from inspector.user_code.variable_names import Names

MOST_CALLS = 16
"""Maximum number of earlier calls remembered: `--watch` may ask for all calls of a script."""

MOST_SEARCHED = 1_000
"""Maximum Nodes searched for holders of earlier graphs. A running sum has one Node per call."""

MOST_SHOWN = 9
"""Maximum number of listed Nodes that lead into an earlier graph."""

_KEY = "autograd-inspector call"

_next_number = sequence_counter()

_threads = count()


class _Thread(threading.local):
    """The number of the calling thread. Python uses the identifier of a thread that has ended for a new one, and
    the sequence numbers of both begin at 0."""

    def __init__(self) -> None:
        self.number = next(_threads)


_thread = _Thread()


class _Mark:
    """An object in the metadata of a root Node. number: that of the next Node when the call started."""

    __slots__ = ("__weakref__", "index", "number")

    def __init__(self, index: int, number: int) -> None:
        self.index = index
        self.number = number


class _Known(Struct, frozen=True):
    """A call that has ended. last: the highest sequence number of its Nodes. began: that of the next Node when it
    began."""

    index: int
    thread: int
    structure: Structure
    last: int
    began: int

    @property
    def nodes(self) -> frozenset[tuple[int, str]]:
        """(sequence number, name) of its Nodes."""
        return frozenset(key for key in _keys(self.structure) if key[1] != ACCUMULATE_GRAD)

    @property
    def root(self) -> tuple[int, str]:
        """(sequence number, name) of its first root."""
        return _keys(self.structure)[self.structure.roots[0][0]]


class RetainedGraphs:
    """Remembers the recorded calls: `begins` and `ends` around each.

    source: returns the user's line that created a Node.
    """

    def __init__(self, source: Callable[[AutogradNode], Any]) -> None:
        self._source = source
        self._known: deque[_Known] = deque(maxlen=MOST_CALLS)
        self._marks: deque[weakref.ref[_Mark]] = deque(maxlen=MOST_CALLS)
        self._began: dict[int, int] = {}  # of the calls that have begun and not ended

    def begins(self, index: int, walk: Walk, names: Names) -> list[Alive]:
        """A call starts: rows for the earlier graphs that are alive, each with its holder if that is found.

        Not if this graph was created before the earlier call: several losses may be computed before the first
        backward.
        """
        if not SEQUENCE_NUMBERS.is_available or not walk.roots:  # they identify Nodes
            return []
        self._began[index] = _next_number()
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

    def ends(self, index: int, record: TracedGraph) -> list[Contained]:
        """A call has ended: rows for the earlier calls whose Nodes its graph contains."""
        began = self._began.pop(index, 0)
        if len(record.nodes) > FULL_NODES or not record.roots or not SEQUENCE_NUMBERS.is_available:
            return []
        structure = record.structure
        numbers = [number for number in structure.sequence_nrs if number != ACCUMULATE_GRAD_NUMBER]
        call = _Known(index, _thread.number, structure, max(numbers, default=-1), began)
        first = min(numbers, default=0)
        rows: list[Contained] = []
        for known in self._known:
            if known.thread != call.thread or known.last < first:  # the usual case: each step creates new Nodes
                continue
            common = call.nodes & known.nodes
            if common:
                rows.append(
                    {
                        "backward_call": known.index,
                        "nodes": len(common),
                        "root": known.root in common,
                        "through": _into(common, record),
                        "shared": _first(common, record),
                        "later": call.last >= known.began,
                    }
                )
        self._known.append(call)
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


_Holder = tuple[str | None, Any]
"""The script's name for the tensor that holds a graph, and where it was created."""
_NO_HOLDER: _Holder = (None, None)


def _keys(structure: Structure) -> list[tuple[int, str]]:
    return list(zip(structure.sequence_nrs, structure.names, strict=True))


def _into(nodes: frozenset[tuple[int, str]], record: TracedGraph) -> list[str]:
    """The ids of the first Nodes outside of this set that lead into it."""
    keys = _keys(record.structure)
    sources = [
        source
        for source, _, target, _ in record.structure.edges()
        if target != EMPTY and keys[target] in nodes and keys[source] not in nodes
    ]
    ids = Ids(record)
    return [ids.function(position) for position in dict.fromkeys(sources)][:MOST_SHOWN]


def _first(nodes: frozenset[tuple[int, str]], record: TracedGraph) -> list[str]:
    """The ids of the first Nodes of this set."""
    ids = Ids(record)
    positions = [position for position, key in enumerate(_keys(record.structure)) if key in nodes]
    return [ids.function(position) for position in positions[:MOST_SHOWN]]


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
