"""How the gradient norm changes on the path from the root to each layer.

Norms are those of whole tensors, not per element: a layer whose weights are scaled by its number of inputs (as in
torch and transformers) preserves the norm whatever its shape, while the size of an element changes with every
width. `benchmarks/healthy_norms.py` prints both: over ten healthy convolutions the norm falls to 1e-4 and the size
of an element to 2e-6.

The path to a layer is the one that carries most of the gradient: in a residual network, the stream and not its
branches. It begins anew behind a sum that cancels: what is added before a norm, such as the shift of another norm,
has no gradient by mathematics, which is not a gradient that vanishes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from msgspec import Struct

from inspector.diagnosis.analysis.node_ops import is_of_kind, is_sum
from inspector.diagnosis.analysis.node_order import topological_order
from inspector.diagnosis.backward_view import BackwardView, GradientEdge
from inspector.graph.node_kinds import NodeKind
from inspector.graph.value_norms import value_norm
from inspector.graph.values import is_unknown

CANCELLED = 1e-3
"""Ratio of the norm of a sum of gradients to that of what was summed. Independent elements keep the norm; in
float32 a sum that is zero by mathematics has a ratio near 1e-7."""

SPIKE = 1e8
"""Ratio of the norm at a layer to that at the root from which it is a spike: a division by next to nothing (the
1e-12 of `F.normalize`) gives 1e10, the squared error of a million numbers that are off by a thousand 2e6."""


class NormAtNode(Struct, frozen=True):
    """A Node on the path of most of the gradient.

    size: the norm that arrived. predecessor: the previous Node on the path; None at a root, and if unknown.
    highest, lowest: the largest and the smallest norm at the layers on the path, including this Node if it is one;
    None before the first layer, and before the first behind a sum that cancelled. Norms between layers do not
    count: within a norm layer, for example, the gradient of the variance is far smaller and that of the squares
    far larger.
    """

    node: str
    size: float
    predecessor: str | None
    highest: float | None
    lowest: float | None


class LayerEnd(Struct, frozen=True):
    """A leaf and the Node that uses it, where the gradient of the leaf arrives."""

    leaf: str
    step: NormAtNode


class NormAlongPath:
    """The paths of most of the gradient through one call."""

    def __init__(self, call: BackwardView) -> None:
        self.call = call
        self.steps: dict[str, NormAtNode] = {}
        self._users = list(_users(call))
        self._order = topological_order(call)
        self.used_at = {user.node for user in self._users}
        """The Nodes that use a leaf: the layers."""
        self._root = _norm_at_roots(call)
        for node in self._order:
            size = call.arrived(node)
            if size is not None and math.isfinite(size) and node not in call.leaf_of:
                self.steps[node] = self._step(node, size, node in self.used_at)

    @property
    def layers(self) -> list[LayerEnd]:
        """Every leaf at every Node that uses it and received a gradient, in walk order."""
        return [
            LayerEnd(self.call.leaf_of[user.accumulate], self.steps[user.node])
            for user in self._users
            if user.node in self.steps
        ]

    def low_norm_nodes(self, least: float) -> set[str]:
        """The Nodes with a norm of less than `least` times the highest on their path, if it stays low after them.

        After a branch it may be high again: the residual stream carries the gradient that the branch has lost. A
        zero counts only if the norm was low before it.
        """
        low: dict[str, bool] = {}
        for node in self._order:
            step = self.steps.get(node)
            if step is not None and step.highest:
                is_low = step.size < least * self._usual(step.highest)
                low[node] = is_low and (step.size > 0 or low.get(step.predecessor or "", False))
        found: set[str] = set()
        parameters = {node for user in self._users for node in user.views}
        for node in reversed(self._order):
            behind = [edge.target for edge in self.call.next_edges.get(node, ())]
            inner = [other for other in behind if other in low and other not in parameters]
            if low.get(node) and all(other in found for other in inner):
                most = least * self._usual(self.steps[node].highest or 0.0)
                if not any(self._joins_more(other, most) for other in behind if other not in parameters):
                    found.add(node)
        return found

    def _joins_more(self, node: str, most: float) -> bool:
        """Whether a Node received at least this norm in total, if the norm per edge is unknown."""
        step = self.steps.get(node)
        return step is not None and step.highest is None and step.size >= most

    def spikes(self) -> list[LayerEnd]:
        """The layers at which the norm is a `SPIKE`, in walk order. The layers behind one need not be."""
        return [layer for layer in self.layers if self._is_spike(layer.step.size)]

    def _is_spike(self, size: float) -> bool:
        return bool(self._root) and size > SPIKE * (self._root or 0.0)

    def _usual(self, highest: float) -> float:
        """The norm from which one that vanishes falls: what a spike adds on the way is lost again behind it."""
        return self._root if self._root is not None and self._is_spike(highest) else highest

    def path_to_root(self, node: str) -> Iterator[NormAtNode]:
        """The steps of the path to a Node, from the Node to the root."""
        above: str | None = node
        while above is not None and above in self.steps:
            yield self.steps[above]
            above = self.steps[above].predecessor

    def _step(self, node: str, size: float, is_layer: bool) -> NormAtNode:
        edge = self._most(node)
        before = self.steps.get(edge.source) if edge is not None else None
        highest, lowest = (before.highest, before.lowest) if before is not None else (None, None)
        if edge is not None and before is not None and self._cancels(edge, before.size):
            highest = lowest = None
        if is_layer:
            highest, lowest = max(size, highest or size), size if lowest is None else min(size, lowest)
        return NormAtNode(node, size, None if edge is None else edge.source, highest, lowest)

    def _most(self, node: str) -> GradientEdge | None:
        """The edge with most of the gradient of a Node; None at a root, and if unknown in a light recording."""
        edges = self.call.incoming.get(node, ())
        if any(is_unknown(edge.gradient) for edge in edges):
            return None
        sizes = [(value_norm(edge.gradient), edge) for edge in edges]
        known = [(size, edge) for size, edge in sizes if size is not None and math.isfinite(size)]
        return max(known, key=lambda pair: pair[0])[1] if known else None

    def _cancels(self, edge: GradientEdge, arrived: float) -> bool:
        left = value_norm(edge.gradient)
        return left is not None and left < CANCELLED * arrived and is_sum(self.call, edge)


def _norm_at_roots(call: BackwardView) -> float | None:
    """The largest norm of a gradient that backward started with; None if it is unknown."""
    started = [call.tensors[root]["grad_fn"] for root in call.graph.roots]
    sizes = [call.arrived(node) for node in started if node is not None]
    known = [size for size in sizes if size is not None and math.isfinite(size)]
    return max(known, default=None)


class _User(Struct, frozen=True):
    """The AccumulateGrad of a leaf, the Node that uses the leaf, and the views of the leaf between them."""

    accumulate: str
    node: str
    views: tuple[str, ...]


def _users(call: BackwardView) -> Iterator[_User]:
    for accumulate in call.leaf_of:
        for edge in call.incoming.get(accumulate, ()):
            node, views = edge.source, []
            while is_of_kind(call, node, NodeKind.COVERS) and len(call.incoming.get(node, ())) == 1:
                views.append(node)
                node = call.incoming[node][0].source
            yield _User(accumulate, node, tuple(views))
