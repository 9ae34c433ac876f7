"""Find the Node whose output a Node used, looking through views, selections and casts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from inspector.diagnosis.backward_view import BackwardView

SELECTS = frozenset(
    [
        "AliasBackward0",
        "AsStridedBackward0",
        "CloneBackward0",
        "ExpandBackward0",
        "GatherBackward0",
        "IndexBackward0",
        "IndexSelectBackward0",
        "MaskedSelectBackward0",
        "PermuteBackward0",
        "ReshapeAliasBackward0",
        "SelectBackward0",
        "SliceBackward0",
        "SqueezeBackward0",
        "SqueezeBackward1",
        "SqueezeBackward2",
        "TBackward0",
        "ToCopyBackward0",
        "TransposeBackward0",
        "UnbindBackward0",
        "UnsafeViewBackward0",
        "UnsqueezeBackward0",
        "ViewBackward0",
    ]
)
"""Nodes whose output holds elements of their input, unchanged: all of them or some, in another shape or type."""

GUARDS = frozenset(["AddBackward0", "ClampBackward0", "ClampBackward1", "ClampMinBackward0", "ClampMinBackward1"])
"""What keeps a logarithm from zero: `p + 1e-8`, `p.clamp(min=1e-8)`."""


@dataclass(frozen=True, slots=True)
class Producer:
    """node: whose output an input is. between: the Nodes that it went through on its way."""

    node: str
    between: tuple[str, ...]


def find_producer(call: BackwardView, node: str, through: Collection[str] = SELECTS) -> Producer | None:
    """What the first input of a Node is made by; None where that is a leaf or a constant.

    through: names of Nodes that are gone through, if they have one input with a graph.
    """
    between: list[str] = []
    edges = call.next_edges.get(node, ())
    while edges and edges[0].slot == 0:
        below = edges[0].target
        if call.functions[below]["name"] not in through or len(call.next_edges.get(below, ())) != 1:
            return Producer(below, tuple(between))
        between.append(below)
        edges = call.next_edges[below]
    return None


class SeenModules:
    """Modules that were found at fault: `nn.Sigmoid` in a discriminator that three losses use is one defect."""

    def __init__(self) -> None:
        self._found: list[tuple[str, set[str]]] = []

    def add(self, call: BackwardView, node: str) -> bool:
        """Whether the module that made a Node is not one of them yet; outside of modules it always is."""
        module = call.functions[node]["module"]
        if not isinstance(module, str) or not module:
            return True
        leaves = set(call.leaves_affected_by([node]))
        known = any(module == other and leaves & its for other, its in self._found)
        self._found.append((module, leaves))
        return not known


def dimension(call: BackwardView, node: str) -> int | None:
    """Along which dimension a softmax goes, counted from the front; None where that was not recorded."""
    row = call.functions[node]
    given = row["attributes"].get("dim")
    result = call.saved[node].get("result")
    if not isinstance(given, int) or result is None:
        return None
    rank = len(call.tensors[result]["shape"])
    return given % rank if rank else 0


def same_dimension(call: BackwardView, upper: str, producer: Producer) -> bool:
    """Whether two softmaxes normalise the same elements, as far as that is known."""
    if producer.between:  # in another shape, a dimension has another number
        return True
    over, under = dimension(call, upper), dimension(call, producer.node)
    return over is None or under is None or over == under
