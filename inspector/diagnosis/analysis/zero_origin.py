"""Find the Node that made a gradient exactly zero, for each trained leaf with a zero gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from inspector.diagnosis.analysis.activation_stats import elements
from inspector.diagnosis.analysis.gradient_dtype import HALF, gradient_dtype
from inspector.diagnosis.analysis.node_ops import (
    is_flat_softmax,
    is_nearest_sampling,
    is_of_kind,
    is_step_function,
    is_sum,
    op,
)
from inspector.diagnosis.analysis.node_order import topological_order
from inspector.diagnosis.backward_view import BackwardView, GradientEdge
from inspector.diagnosis.evidence import Evidence
from inspector.graph.node_kinds import NodeKind, is_listed
from inspector.graph.value_norms import is_zero, value_norm
from inspector.graph.values import is_summary, is_unknown

TINY = 1e-30
"""A float32 below 1.2e-38 loses bits and below 1.4e-45 is zero: a gradient with a smaller norm than this that
becomes zero has vanished and was not cut off."""

SMALLEST_NORMAL = 2.0**-14
"""The smallest number of float16 with all its bits."""

_WITHOUT_OPERAND = (NodeKind.MASKS, NodeKind.ROUNDS, NodeKind.RECTIFIES, NodeKind.SQUASHES)
"""Functions that produce zeros without another operand."""

_ZERO_AT_ZERO = ("mul", "mul.Scalar", "prod", "prod.dim_int", "dot", "mm", "bmm", "cos", "cosh", "sinc")
"""Functions whose gradient may be zero because the input is zero."""

_MOST_CAUSES = 8
"""Maximum causes kept per Node: enough to see whether one of them is intended."""


class ZeroCause(Struct, frozen=True):
    """A gradient arrived at `node`, and zeros left it.

    edge: the edge with the zeros. hooked: whether a hook on that edge made them. operand: the id of a tensor of
    zeros by which the Node multiplied. leaves: the ids of the trained leaves whose gradient is therefore zero.
    """

    node: str
    edge: GradientEdge
    hooked: bool
    operand: str | None
    leaves: tuple[str, ...]


class _ZeroSource(Struct, frozen=True):
    edge: GradientEdge
    hooked: bool


def find_zero_causes(evidence: Evidence, call: BackwardView) -> list[ZeroCause]:
    """Why gradients of trained leaves are zero, in walk order, without intended zeros."""
    causes = call.once(_causes)
    found: dict[tuple[str, bool], list[tuple[ZeroCause, str]]] = {}
    for node, leaf in call.leaf_of.items():
        name = call.name(leaf)
        if node not in causes or not evidence.is_trained(name) or name in evidence.trained_later:
            continue
        explained = [_explain(evidence, call, cause, leaf) for cause in causes[node]]
        zero = explained[0] if explained else None
        if zero is None or None in explained:  # one path without a defect is enough
            continue
        if rule_for(call, zero) != "zero-gradient" or not _is_temporary(evidence, call, leaf):
            found.setdefault((zero.node, zero.hooked), []).append((zero, leaf))
    return [replace(rows[0][0], leaves=tuple(leaf for _, leaf in rows)) for rows in found.values()]


def equal_operands(call: BackwardView, leaves: Iterable[str]) -> str | None:
    """The Node that made the gradients of these leaves zero, if it is one and measures a distance: of tensors that
    are equal. leaves: the Nodes of the leaves."""
    causes = call.once(_causes)
    starts = {cause.edge.source for node in leaves for cause in causes.get(node, ())}
    only = next(iter(starts)) if len(starts) == 1 else None
    return only if only is not None and is_of_kind(call, only, NodeKind.DISTANCE) else None


def squared_zeros_of(call: BackwardView, leaves: Iterable[str]) -> str | None:
    """The activation whose outputs are all zero, if the gradients of these leaves are zero since a loss squares
    them: `relu(h).square()`. leaves: the Nodes of the leaves."""
    node = equal_operands(call, leaves)
    own = None if node is None else next((_input(call, edge) for edge in call.next_edges.get(node, ())), None)
    if own is None or not is_zero(data(call, own)):
        return None
    maker, _ = _origin_of(call, own)
    return maker if maker is not None and is_of_kind(call, maker, NodeKind.RECTIFIES) else None


def rule_for(call: BackwardView, zero: ZeroCause) -> str:
    """The rule that reports a cause."""
    node, dtype = zero.node, gradient_dtype(call, zero.node, zero.edge.gradient)
    if zero.hooked:
        return "zero-gradient"
    if is_step_function(call, node) or is_flat_softmax(call, node) or is_nearest_sampling(call, zero.edge):
        return "zero-derivative"
    if is_of_kind(call, node, NodeKind.RECTIFIES):
        return "dead-activation"
    if is_of_kind(call, node, NodeKind.SQUASHES):
        return "saturated-activation"
    if zero.operand is None and dtype == HALF and _may_underflow(call, node):
        return "gradient-underflow"
    return "zero-gradient"


def _may_underflow(call: BackwardView, node: str) -> bool:
    """Whether a Node may have made a float16 gradient too small: not if nothing is known about it (a custom
    Function, which may return zeros), unless the elements of what arrived were almost too small."""
    if is_of_kind(call, node, NodeKind.MASKS):
        return False
    count, size = elements(call.functions[node]["gradient"])[0], call.arrived(node)
    is_small = bool(count) and size is not None and size / math.sqrt(count) < SMALLEST_NORMAL
    return is_small or is_listed(call.functions[node]["name"])


def data(call: BackwardView, tensor: str) -> Any:
    """The data of a tensor before backward."""
    return call.tensors[tensor]["before"]["data"]


def _causes(call: BackwardView) -> dict[str, list[_ZeroSource]]:
    """For each Node at which zeros arrived, the edges on which they started; empty if unknown."""
    causes: dict[str, list[_ZeroSource]] = {}
    for node in topological_order(call):
        if not is_zero(call.functions[node]["gradient"]):
            continue
        found: dict[tuple[str, int], _ZeroSource] = {}
        edges = [edge for edge in call.incoming.get(node, ()) if edge.gradient is not None]
        for edge in edges:
            if edge.source in causes:
                more = causes[edge.source]
            elif is_unknown(edge.gradient) or not (is_zero(edge.gradient) or len(edges) == 1):
                more = []  # unknown, or a sum that cancels
            else:
                more = [_ZeroSource(edge, hooked=not is_zero(edge.gradient))]
            if not more:
                found.clear()
                break
            found |= {(cause.edge.source, cause.edge.slot): cause for cause in more}
        causes[node] = list(found.values())[:_MOST_CAUSES]
    return causes


def _is_temporary(evidence: Evidence, call: BackwardView, leaf: str) -> bool:
    """Whether another call from the same line gave a leaf a gradient: a mask that is zero now and then."""
    name = call.tensors[leaf]["name"]
    return name is not None and any(
        other.tensors[found]["name"] == name and value_norm(other.tensors[found]["gradient"])
        for other in evidence.calls_from_the_line_of(call)
        for found in other.leaf_of.values()
    )


def _explain(evidence: Evidence, call: BackwardView, cause: _ZeroSource, leaf: str) -> ZeroCause | None:
    """The effect of a cause on a leaf; None if it is not a defect."""
    edge, node = cause.edge, cause.edge.source
    if cause.hooked:
        return ZeroCause(node, edge, True, None, (leaf,))
    if _is_intended(evidence, call, edge) or _has_vanished(call, node):
        return None
    if not call.knows_saved and not is_of_kind(call, node, *_WITHOUT_OPERAND):
        return None  # the operand is unknown, for example the B of LoRA before its first step
    operands = [] if is_at_origin(call, node) else list(_operands(call, edge))
    operands = [tensor for tensor in operands if is_zero(data(call, tensor))]
    own = _input(call, edge)
    if not operands:
        stationary = is_of_kind(call, node, NodeKind.DISTANCE) or _is_stationary(call, node, own)
        return None if stationary else ZeroCause(node, edge, False, None, (leaf,))
    maker, held = _origin_of(call, operands[0])
    if held is not None and held in call.leaf_of.values() and (_is_learning(call, held) or _is_small(call, held)):
        return None
    if maker is not None:  # another Node made the zeros of the operand: report that one
        other = next(iter(call.next_edges.get(maker, ())), edge)
        return ZeroCause(maker, other, False, held, (leaf,))
    return ZeroCause(node, edge, False, held, (leaf,))


def _has_vanished(call: BackwardView, node: str) -> bool:
    return (call.arrived(node) or 0.0) < TINY


def _is_intended(evidence: Evidence, call: BackwardView, edge: GradientEdge) -> bool:
    """Whether zeros are as they should be: a sum cancelled, there are no elements, the elements were chosen (by a
    function, a router or at random), or a hinge without violations has no slope."""
    if is_sum(call, edge) or _is_empty(call, edge) or call.functions[edge.source].get("random"):
        return True
    if is_of_kind(call, edge.source, NodeKind.CHOOSES) or is_idle(call, edge.source, edge.slot):
        return True
    return has_no_violation(evidence, call, edge.source)


def is_at_origin(call: BackwardView, node: str) -> bool:
    """Whether a Node is an atan2 of (0, 0), where torch sets its derivatives, which do not exist, to zero."""
    saved = list(call.saved[node].values()) if op(call, node) == "atan2" else []
    return bool(saved) and all(is_zero(data(call, tensor)) for tensor in saved)


def has_no_violation(evidence: Evidence, call: BackwardView, node: str) -> bool:
    """Whether a relu or clamp is a hinge without violations: part of a loss that is exactly zero.

    Not if a layer uses its output, or if the loss is zero in all of several calls, so that nothing is trained.
    """
    may_be_hinge = op(call, node) == "relu" or is_of_kind(call, node, NodeKind.CLAMPS)
    if not may_be_hinge or not is_zero_loss(call) or _is_used_by_a_layer(call, node):
        return False
    calls = evidence.calls_from_the_line_of(call)
    return len(calls) < 2 or not all(map(is_zero_loss, calls))


def is_zero_loss(call: BackwardView) -> bool:
    """Whether all roots are exactly zero."""
    return all(is_zero(data(call, root)) for root in call.graph.roots if root in call.tensors)


def _is_used_by_a_layer(call: BackwardView, node: str) -> bool:
    """Whether a Node between this one and the root combines its output with a leaf, other than in a sum."""
    own, above = set(call.towards_leaves([node])), set(call.towards_root([node]))
    return any(
        edge.target not in above and any(below in call.leaf_of and below not in own for below in reached)
        for user in above - {node}
        if not is_of_kind(call, user, NodeKind.PASSES)
        for edge in call.next_edges.get(user, ())
        for reached in [list(call.towards_leaves([edge.target]))]
    )


def is_idle(call: BackwardView, node: str, slot: int = 0) -> bool:
    """Whether a Node is one of several parallel Nodes of one line, of which others pass gradients: an expert that
    got no sample."""
    source, name = call.functions[node]["source"], call.functions[node]["name"]
    siblings = [
        other
        for other, function in call.functions.items()
        if other != node and function["name"] == name and function["source"] == source
    ]
    busy = [
        other
        for other in siblings
        if any(edge.slot == slot and value_norm(edge.gradient) for edge in call.next_edges.get(other, ()))
    ]
    if not busy or source is None or is_unknown(source):
        return False
    related = {*call.towards_leaves([node]), *call.towards_root([node])}
    return any(other not in related for other in busy)


def _is_empty(call: BackwardView, edge: GradientEdge) -> bool:
    """Whether a Node processed an empty tensor: an expert without a token."""
    values = [edge.gradient, call.functions[edge.source]["gradient"]]
    values += [data(call, tensor) for tensor in call.saved.get(edge.source, {}).values()]
    return any(isinstance(value, list) or is_summary(value) for value in values if elements(value)[0] == 0)


def _input(call: BackwardView, edge: GradientEdge) -> str | None:
    """The tensor to which the gradient of an edge belongs."""
    if edge.target in call.leaf_of:
        return call.leaf_of[edge.target]
    for tensor in call.outputs.get(edge.target, ()):
        if call.tensors[tensor].get("output_nr", 0) == edge.input_nr:
            return tensor
    return None


def _operands(call: BackwardView, edge: GradientEdge) -> Iterator[str]:
    """The tensors by which a Node may have multiplied a gradient: its saved tensors, except its input there, its
    result and a mean."""
    own, outputs = _input(call, edge), call.outputs.get(edge.source, ())
    for name, tensor in call.saved.get(edge.source, {}).items():
        if tensor != own and tensor not in outputs and not name.startswith(("result", "running_mean")):
            yield tensor


def _is_stationary(call: BackwardView, node: str, own: str | None) -> bool:
    """Whether the gradient is zero because the input is (`x * x` at 0), which a step can change."""
    return own is not None and op(call, node) in _ZERO_AT_ZERO and is_zero(data(call, own))


def _origin_of(call: BackwardView, tensor: str) -> tuple[str | None, str | None]:
    """The origin of zeros: (the Node that made them, the constant of zeros it used or None), or (None, the leaf or
    constant that holds them)."""
    seen = set()
    while (node := call.tensors[tensor]["grad_fn"]) is not None and node not in seen:
        seen.add(node)
        before = _zero_inputs(call, node)
        if not before:
            return node, None
        tensor = before[0]
        if tensor not in call.leaf_of.values() and call.tensors[tensor]["grad_fn"] is None:
            return node, tensor
    return None, tensor


def _zero_inputs(call: BackwardView, node: str) -> list[str]:
    """The inputs of a Node that are all zeros: first those with a gradient, looking through views, then constants.
    """
    found: list[str] = []
    for edge in call.next_edges.get(node, ()):
        found += _known([_input(call, edge), _viewed(call, edge.target)])
    found += [saved for saved in call.saved.get(node, {}).values() if saved not in call.outputs.get(node, ())]
    return [tensor for tensor in found if is_zero(data(call, tensor))]


def _viewed(call: BackwardView, node: str) -> str | None:
    """The leaf of which a Node is a view or a copy (`weight.t()`)."""
    while is_of_kind(call, node, NodeKind.COVERS) and len(call.next_edges.get(node, ())) == 1:
        node = call.next_edges[node][0].target
    return call.leaf_of.get(node)


def _known(tensors: Iterable[str | None]) -> Iterator[str]:
    return (tensor for tensor in tensors if tensor is not None)


def _is_learning(call: BackwardView, leaf: str) -> bool:
    """Whether a leaf gets a gradient that will change it from zero: a zero-initialised branch becomes active after
    the first step."""
    size = value_norm(call.tensors[leaf]["gradient"])
    return size is not None and (size > 0 or math.isnan(size))


def _is_small(call: BackwardView, leaf: str) -> bool:
    """Whether a leaf is stored in full: a stationary point in a small example (`x * y` at (0, 0))."""
    value = data(call, leaf)
    return not is_summary(value) and not is_unknown(value)
