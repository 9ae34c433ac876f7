"""Keep the Nodes of deep graphs alive until they can be released root first.

torch 2.13 frees Nodes that Python has seen recursively in C: in a chain of more than about 40,000 such Nodes, the
user's statement that drops the graph dies of SIGSEGV. While a list holds every Node nothing recurses, and emptying
the list from the root frees one Node at a time. Keeping the Nodes longer than the user does would keep the user's
saved tensors alive, so they are released as soon as only the list holds the root.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import weakref
from array import array
from collections.abc import Iterable
from functools import partial
from typing import Any

from inspector.graph.traversal import longest_ways
from inspector.tracing.walk import AutogradNode, Walk

DEPTH = 5_000
"""Minimum length of a chain of Nodes for a graph to be kept. The smallest common stack (1 MB, a thread on some
systems) survives 4,980 Nodes, as measured."""

_OWNED_HERE = 2
"""sys.getrefcount of a Node owned only by one list or one local variable here: that reference and its own
argument."""

_PENDING_CALL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_add_pending_call = ctypes.PYFUNCTYPE(ctypes.c_int, _PENDING_CALL, ctypes.c_void_p, ctypes.py_object)(
    ("Py_AddPendingCall", ctypes.pythonapi)
)
"""Called by a weak reference, whose argument C ignores. No Python code of the inspector may run while a tensor is
being dropped: the interpreter would run the pending call right then, when the tensor still owns its Node."""


class DeepGraphKeepalive:
    """Keeps deep graphs. There is only one instance, `DEEP_GRAPHS`: a Node in two lists would look owned for
    ever."""

    def __init__(self) -> None:
        # Each list is leaf first. A later graph may contain Nodes of an earlier list.
        self._lists: list[list[AutogradNode]] = []
        self._roots: list[weakref.ref[Any]] = []
        self._release_soon = partial(_add_pending_call, _PENDING_CALL(self._on_pending_call), None)

    def __len__(self) -> int:
        return sum(len(nodes) for nodes in self._lists)

    def keep(self, walk: Walk, roots: Iterable[Any]) -> None:
        """Keep the Nodes of `walk` if its graph is deep. roots: the tensors from which it was walked."""
        self.release()
        if len(walk.nodes) <= DEPTH:
            return
        order, depth = leaf_first(walk)
        if depth <= DEPTH:
            return
        known = {id(node) for nodes in self._lists for node in nodes}
        nodes = [walk.nodes[position] for position in order]
        self._lists.append([node for node in nodes if id(node) not in known])
        self._roots += [weakref.ref(root, self._release_soon) for root in roots]
        if self._on_collection not in gc.callbacks:
            gc.callbacks.append(self._on_collection)

    def release(self) -> None:
        """Release the Nodes that have no other owner."""
        for position in range(len(self._lists) - 1, -1, -1):
            self._lists[position] = reap(self._lists[position])
        self._lists = [nodes for nodes in self._lists if nodes]
        if not self._lists:
            self._roots.clear()
            if self._on_collection in gc.callbacks:
                gc.callbacks.remove(self._on_collection)

    def _on_collection(self, phase: str, _: dict[str, int]) -> None:
        if phase == "stop":  # the last owner may have been a tensor within the graph, to which there is no weakref
            self.release()

    def _on_pending_call(self, _: Any) -> int:
        self.release()
        return 0


def reap(nodes: list[AutogradNode]) -> list[AutogradNode]:
    """Empty `nodes` (leaf first) from the root; return the Nodes with other owners, in the same order.

    While the last one, the root, has another owner, all Nodes below it do too, and nothing else needs checking.
    """
    if nodes and sys.getrefcount(nodes[-1]) != _OWNED_HERE:
        return nodes
    kept = []
    node = None
    while nodes:
        node = nodes.pop()
        if sys.getrefcount(node) != _OWNED_HERE:
            kept.append(node)
        node = None
    kept.reverse()
    return kept


def leaf_first(walk: Walk) -> tuple[array[int], int]:
    """Positions of all Nodes, each after those it leads to; and the length of the longest chain."""
    starts, targets = walk.structure.starts, walk.structure.targets
    root_first = walk.structure.order
    return root_first[::-1], max(longest_ways(root_first, starts, targets), default=-1) + 1


DEEP_GRAPHS = DeepGraphKeepalive()
