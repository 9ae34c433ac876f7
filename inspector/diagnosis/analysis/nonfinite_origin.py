"""Find the first non-finite value, in the forward outputs and in the gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator

from inspector.diagnosis.analysis.node_ops import is_of_kind, op
from inspector.diagnosis.analysis.nonfinite_values import (
    Kind,
    holds_zero,
    is_finite,
    is_nonfinite,
    kind,
    nested_leaves,
    nested_operations,
    nonfinite_ends,
    output,
    root_kind,
)
from inspector.diagnosis.backward_view import BackwardView, GradientEdge
from inspector.graph.node_kinds import NodeKind, is_kind
from inspector.graph.row_types import InnerOperation, TensorRow
from inspector.graph.traversal import reach
from inspector.graph.values import Value


def forward_origin_starts(call: BackwardView) -> list[str]:
    """The Nodes from whose outputs the search in the forward starts: the roots, if they are not finite; otherwise
    the Nodes that made a gradient non-finite because their inputs were. Empty if the forward was finite, or if
    its non-finite values had no effect."""
    if root_kind(call) in ("inf", "nan"):
        return root_nodes(call)
    return [node for node in gradient_origins(call) if has_bad_input(call, node)]


def has_bad_input(call: BackwardView, node: str) -> bool:
    """Whether a Node is known to have had non-finite inputs in the forward."""
    constants = (tensor["before"]["data"] for _, tensor in saved_constants(call, node))
    return any(map(is_nonfinite, (*(output(call, other) for other in known_inputs(call, node)), *constants)))


def saved_constants(call: BackwardView, node: str) -> Iterator[tuple[str, TensorRow]]:
    """The inputs of a Node that it saved and that do not require a gradient, by name."""
    for name, identifier in call.saved[node].items():
        if not call.tensors[identifier]["requires_grad"] and not name.startswith(_SAVED_OUTPUTS):
            yield name, call.tensors[identifier]


_SAVED_OUTPUTS = ("result", "save_", "reserve")
"""How torch's names of saved outputs begin: `result1` of a CTC loss, `save_mean` of a norm."""


def root_nodes(call: BackwardView) -> list[str]:
    """The Nodes of the roots."""
    return [call.topology.ids[position] for position in call.topology.roots]


def forward_origins(call: BackwardView, starts: Iterable[str]) -> Iterator[str]:
    """The Nodes that first produced non-finite outputs, among `starts` and the Nodes towards the leaves."""
    below = functools.cache(functools.partial(_nonfinite_inputs, call))
    for node in reach((node for start in starts for node in _bad_at(call, start)), below):
        if not below(node):
            yield _likely_origin(call, node)


def _bad_at(call: BackwardView, node: str) -> list[str]:
    """A Node, if its output is known to be non-finite; otherwise those of its inputs that are."""
    nodes = [node, *known_inputs(call, node)] if kind_of(call, node) in ("finite", None) else [node]
    return [other for other in nodes if is_nonfinite(output(call, other))]


def _nonfinite_inputs(call: BackwardView, node: str) -> list[str]:
    """The known inputs of a Node that explain its non-finite output."""
    inputs = known_inputs(call, node)
    nans = [other for other in inputs if kind_of(call, other) == "nan"]
    infinite = [other for other in inputs if kind_of(call, other) == "inf"]
    if kind_of(call, node) == "nan" and not nans:
        return [other for other in infinite if not _is_mask(call, other)]
    return nans or infinite


def known_inputs(call: BackwardView, node: str) -> list[str]:
    """The nearest Nodes towards the leaves whose output is known."""
    return [other for other in _below(call, node) if kind(output(call, other)) is not None]


def _below(call: BackwardView, node: str) -> Iterator[str]:
    """The Nodes towards the leaves, up to the nearest one on each path whose output is known."""
    return reach(call.inputs_of(node), lambda other: call.inputs_of(other) if kind_of(call, other) is None else ())


def _likely_origin(call: BackwardView, node: str) -> str:
    """The origin, if not all Nodes between a non-finite output and the finite ones before it are known: one that
    saved a zero that it divides by, else the one nearest to the leaves that can create non-finite values."""
    unseen = [other for other in _below(call, node) if kind(output(call, other)) is None]
    creators = [other for other in (node, *unseen) if is_of_kind(call, other, NodeKind.SINGULAR)]
    proven = [other for other in creators if _divides_by_zero(call, other)]
    return (proven or creators or [node])[-1]


def _divides_by_zero(call: BackwardView, node: str) -> bool:
    """Whether a Node has saved a divisor that contains a zero."""
    divisor = call.saved[node].get("other") if op(call, node) == "div" else None
    return divisor is not None and holds_zero(call.tensors[divisor]["before"]["data"])


def _is_mask(call: BackwardView, node: str) -> bool:
    """Whether a Node holds infinities on purpose: it inserted them, or passed on what another one inserted."""
    while not is_of_kind(call, node, NodeKind.FILLS):
        if is_of_kind(call, node, NodeKind.ADDS) and not any(
            is_nonfinite(output(call, other)) for other in known_inputs(call, node)
        ):
            return True
        bad = [other for other in known_inputs(call, node) if is_nonfinite(output(call, other))]
        if len(bad) != 1:
            return False
        node = bad[0]
    return True


def gradient_origins(call: BackwardView) -> Iterator[str]:
    """The Nodes that received only finite gradients and produced a non-finite one that reached a leaf."""

    def nonfinite_users(node: str) -> Iterator[str]:
        return (user for user in call.users_of(node) if _received(call, user, is_nonfinite))

    nodes = list(reach(nonfinite_ends(call), nonfinite_users))
    edges = (edge for node in nodes for edge in call.incoming.get(node, ()))
    made = (edge.source for edge in edges if _received(call, edge.source, is_finite) and _passes_bad(call, edge))
    ran = (node for node in nodes if _received(call, node, is_finite) and nested_leaves(call, node))
    yield from dict.fromkeys([*made, *ran])


def nested_origin(call: BackwardView, node: str) -> InnerOperation | None:
    """The first Node that made a finite gradient non-finite in the graph that a Node ran in backward."""
    operations = nested_operations(call, node)
    for operation in operations:
        sources = [operations[position] for position in operation["inputs"]]
        if sources and is_nonfinite(operation.get("gradient")):
            if not all(is_finite(source.get("gradient")) for source in sources):
                continue
            singular = [source for source in sources if is_kind(source["name"], NodeKind.SINGULAR)]
            return (singular or sources)[0]
    return None


def _received(call: BackwardView, node: str, holds: Callable[[Value], bool]) -> bool:
    """Whether a Node ran with a gradient that satisfies `holds`."""
    function = call.functions[node]
    return isinstance(function["step"], int) and holds(function["gradient"])


def _passes_bad(call: BackwardView, edge: GradientEdge) -> bool:
    return is_nonfinite(edge.gradient) or _makes_nonfinite(call, edge)


def _makes_nonfinite(call: BackwardView, edge: GradientEdge) -> bool:
    """Whether the source of an edge is the likely origin, if Nodes with finite gradients gave a non-finite sum.

    A light recording does not measure the gradient along each edge.
    """
    if not is_nonfinite(call.functions[edge.target]["gradient"]) or kind(edge.gradient) is not None:
        return False
    sources = [other.source for other in call.incoming[edge.target]]
    if not all(is_finite(call.functions[other]["gradient"]) for other in sources):
        return False
    likely = [other for other in sources if is_of_kind(call, other, NodeKind.SINGULAR)]
    return edge.source == (likely or sources)[0]


def kind_of(call: BackwardView, node: str) -> Kind | None:
    """The worst kind of value in the output of a Node."""
    return kind(output(call, node))
