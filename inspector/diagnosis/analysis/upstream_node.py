"""Find the Node whose output a Node used, looking through views, selections and casts."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from inspector.diagnosis.analysis.node_ops import is_of_kind, op
from inspector.diagnosis.backward_view import BackwardView
from inspector.graph.node_kinds import NodeKind

GUARDS = ("add", "add.Scalar", "clamp", "clamp.Tensor", "clamp_min", "clamp_min.Tensor")
"""Operations that keep the argument of a logarithm above zero: `p + 1e-8`, `p.clamp(min=1e-8)`."""


class Producer(Struct, frozen=True):
    """node: the Node that produced an input. between: the Nodes it passed through."""

    node: str
    between: tuple[str, ...]


def find_producer(call: BackwardView, node: str, guards: Collection[str] = ()) -> Producer | None:
    """The Node that produced the first input of a Node; None for a leaf or a constant.

    Looks through Nodes that select, and through those with an op of `guards`, if they have one input with a graph.
    """
    between: list[str] = []
    edges = call.next_edges.get(node, ())
    while edges and edges[0].slot == 0:
        below = edges[0].target
        passed = is_of_kind(call, below, NodeKind.SELECTS) or op(call, below) in guards
        if not passed or len(call.next_edges.get(below, ())) != 1:
            return Producer(below, tuple(between))
        between.append(below)
        edges = call.next_edges[below]
    return None


class SeenModules:
    """Modules with a known defect: an `nn.Sigmoid` in a discriminator used by three losses is one defect."""

    def __init__(self) -> None:
        self._found: list[tuple[str, set[str]]] = []

    def add(self, call: BackwardView, node: str) -> bool:
        """Whether the module that created a Node is new; outside of modules it always is."""
        module = call.functions[node]["module"]
        if not isinstance(module, str) or not module:
            return True
        leaves = set(call.leaves_affected_by([node]))
        known = any(module == other and leaves & its for other, its in self._found)
        self._found.append((module, leaves))
        return not known


def dimension(call: BackwardView, node: str) -> int | None:
    """The dimension of a softmax, counted from the front; None if not recorded."""
    row = call.functions[node]
    given = row["attributes"].get("dim")
    result = call.saved[node].get("result")
    if not isinstance(given, int) or result is None:
        return None
    rank = len(call.tensors[result]["shape"])
    return given % rank if rank else 0


def same_dimension(call: BackwardView, upper: str, producer: Producer) -> bool:
    """Whether two softmaxes normalise over the same elements; True if unknown."""
    if producer.between:  # the shapes differ, so the dimensions cannot be compared
        return True
    over, under = dimension(call, upper), dimension(call, producer.node)
    return over is None or under is None or over == under
