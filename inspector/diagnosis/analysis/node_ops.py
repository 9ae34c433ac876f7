"""What the Nodes of a call compute: their ops and kinds."""

from __future__ import annotations

from inspector.diagnosis.backward_view import BackwardView, GradientEdge
from inspector.graph.node_kinds import NodeKind, is_kind
from inspector.graph.node_names import op_of, without_backward

_ADDED_SLOT = {
    "addmm": 0,
    "addmv": 0,
    "addbmm": 0,
    "baddbmm": 0,
    "convolution": 2,
    "native_batch_norm": 2,
    "cudnn_batch_norm": 2,
    "native_layer_norm": 2,
    "native_group_norm": 2,
    "linear": 2,
}
"""Inputs that are only added (a bias), by op: their gradient is a sum, which may cancel but is never masked."""


def op(call: BackwardView, node: str) -> str:
    """The op of a Node."""
    return op_of(call.functions[node]["name"])


def operation(call: BackwardView, node: str) -> str:
    """`Sigmoid` for SigmoidBackward0: the operation of the forward that a Node belongs to, in a sentence."""
    return without_backward(call.functions[node]["name"])


def is_of_kind(call: BackwardView, node: str, *kinds: NodeKind) -> bool:
    """Whether a Node is of one of these kinds."""
    return is_kind(call.functions[node]["name"], *kinds)


def is_sum(call: BackwardView, edge: GradientEdge) -> bool:
    """Whether the gradient on this edge is a sum of what arrived, so that a zero means it cancelled."""
    if is_of_kind(call, edge.source, NodeKind.PASSES):
        return bool(call.functions[edge.source]["attributes"].get("alpha", 1) != 0)
    return _ADDED_SLOT.get(op(call, edge.source)) == edge.slot


def is_step_function(call: BackwardView, node: str) -> bool:
    """Whether the derivative of a Node is zero wherever it exists; a division may round or not."""
    attributes = call.functions[node]["attributes"]
    return is_of_kind(call, node, NodeKind.ROUNDS) and attributes.get("rounding_mode", "") is not None


def is_nearest_sampling(call: BackwardView, edge: GradientEdge) -> bool:
    """Whether an edge leads from a `grid_sample` that takes the nearest element to its grid."""
    is_sampler = op(call, edge.source) in ("grid_sampler_2d", "grid_sampler_3d")
    mode = call.functions[edge.source]["attributes"].get("interpolation_mode")
    return is_sampler and edge.slot == 1 and mode == _NEAREST


_NEAREST = 1
"""`mode="nearest"`, as `grid_sample` stores it."""


def is_flat_softmax(call: BackwardView, node: str) -> bool:
    """Whether a Node is a softmax over a dimension of size 1, which is always 1."""
    if op(call, node) not in ("softmax", "log_softmax"):
        return False
    dimension = call.functions[node]["attributes"].get("dim")
    shapes = [call.tensors[tensor]["shape"] for tensor in call.outputs.get(node, ())]
    if not shapes or not isinstance(dimension, int) or not shapes[0] or shapes[0][dimension] != 1:
        return False
    return not _is_summed_over(call, node)


def _is_summed_over(call: BackwardView, node: str) -> bool:
    """Whether a matrix product sums over the output of a Node, as in attention to a single token."""
    users = [edge.source for edge in call.incoming.get(node, ())]
    while users:
        user = users.pop()
        if op(call, user) in ("bmm", "mm") and len(call.next_edges.get(user, ())) > 1:
            return True
        if is_of_kind(call, user, NodeKind.COVERS) or op(call, user) in ("mul", "mul.Scalar"):  # dropout
            users += [edge.source for edge in call.incoming.get(user, ())]
    return False
