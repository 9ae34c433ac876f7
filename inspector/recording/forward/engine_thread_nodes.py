"""Nodes created by the engine's own threads (double backward on a device).

Each thread numbers its Nodes from 0, so these collide with the numbers of the script's thread. They are marked in
their `metadata`, which torch keeps with a Node, and get separate numbers.
"""

from __future__ import annotations

from collections.abc import Set

from inspector.torch_api.nodes import ACCUMULATE_GRAD_NUMBER, sequence_number_of
from inspector.tracing.walk import AutogradNode, Walk

_KEY = "autograd-inspector made in"
_GENERATED = 1 << 63
"""Set in all generated numbers."""
_CALL = 32
"""Layout of a generated number: the index of the call from this bit up, and the number in the engine's thread
below."""


class EngineThreadNodes:
    """The Nodes created by the engine's threads in the backward calls of one thread of the script."""

    def __init__(self) -> None:
        self._highest = -1
        self._ends: dict[int, int] = {}

    def note_created_graph(self, call: int, result: Walk, known: Set[AutogradNode], here: range) -> bool:
        """After a call on a device: note whether it created Nodes in another thread.

        result: the graph of its result, with torch's sequence numbers. known: the Nodes from before the call.
        here: the numbers used by the calling thread meanwhile.
        """
        created = [
            (node, number)
            for node, number in zip(result.nodes, result.structure.sequence_nrs, strict=True)
            if number != ACCUMULATE_GRAD_NUMBER and number not in here and node not in known
        ]
        # A Node with the key is from an earlier call.
        new = [(node, number) for node, number in created if _KEY not in node.metadata]
        for node, number in new:
            node.metadata[_KEY] = self, call
            self._highest = max(self._highest, number)
        if new:
            self._ends[call] = here.stop
        return bool(new)

    def renumber_engine_nodes(self, walk: Walk) -> None:
        """Give separate numbers to the Nodes of a graph that the engine created."""
        if self._highest >= 0:
            for position, node in enumerate(walk.nodes):
                walk.structure.sequence_nrs[position] = self.sequence_number_of(node)

    def sequence_number_of(self, node: AutogradNode) -> int:
        """The number of one Node, as set by `renumber_engine_nodes`."""
        number = sequence_number_of(node)
        if number > self._highest:  # the usual case
            return number
        owner, call = node.metadata.get(_KEY, (None, 0))
        return _GENERATED + (call << _CALL) + number if owner is self else number

    def thread_counter_at(self, number: int) -> int:
        """The counter of the script's own thread when the Node with this number was created."""
        call = call_of(number)
        return number if call is None else self._ends[call]


def call_of(number: int) -> int | None:
    """The index of the backward call in which a Node found by `renumber_engine_nodes` was created."""
    if number < _GENERATED or number == ACCUMULATE_GRAD_NUMBER:
        return None
    return (number - _GENERATED) >> _CALL
