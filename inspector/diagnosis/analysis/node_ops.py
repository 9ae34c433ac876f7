"""What the Nodes of a call compute: their ops and kinds."""

from __future__ import annotations

from inspector.diagnosis.backward_view import BackwardView
from inspector.graph.node_kinds import NodeKind, is_kind
from inspector.graph.node_names import op_of, without_backward


def op(call: BackwardView, node: str) -> str:
    """The op of a Node."""
    return op_of(call.functions[node]["name"])


def operation(call: BackwardView, node: str) -> str:
    """`Sigmoid` for SigmoidBackward0: the operation of the forward that a Node belongs to, in a sentence."""
    return without_backward(call.functions[node]["name"])


def is_of_kind(call: BackwardView, node: str, *kinds: NodeKind) -> bool:
    """Whether a Node is of one of these kinds."""
    return is_kind(call.functions[node]["name"], *kinds)


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
