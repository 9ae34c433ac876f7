"""Remember the first trace of a graph for as long as the graph lives.

The first TracedGraph of a graph is stored in the `metadata` of its root Node, which torch keeps with the Node. It
holds plain values and weak references only: a tensor in it would form a cycle that is never freed.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from inspector.graph.values import unknown
from inspector.tensor_stats import Pending
from inspector.tracing.gradient_flow import GradientFlow
from inspector.tracing.tensor_facts import TensorSnapshot
from inspector.tracing.traced_graph import NodeFacts, TracedGraph

_KEY = "autograd-inspector"
_NOT_RECORDED = "backward ran without being recorded"
_NOT_TRACED = "it was not traced before backward"


def with_first_trace(root: Any, record: TracedGraph) -> tuple[TracedGraph, GradientFlow | None]:
    """Join `record` with the first trace of the same graph: (record, flow).

    root: the root Node. The flow is None until backward has run.
    """
    first: TracedGraph | None = root.metadata.get(_KEY)
    if first is None or not _is_same_graph(first, record):
        first = root.metadata[_KEY] = record
        if not _is_released(record) and not _may_be_released(record):
            return record, None
        first = _without_states(record)
    elif not _is_released(record) and not _grads_differ(first, record):
        return record, None
    return _joined(first, record), GradientFlow(not_recorded=_NOT_RECORDED)


def _is_same_graph(first: TracedGraph, now: TracedGraph) -> bool:
    return first.structure.names == now.structure.names


def _is_released(record: TracedGraph) -> bool:
    if record.is_structure_only:  # its saved tensors were not read
        return False
    return any(saved.before == "released" for node in record.nodes for saved in node.saved)


def _may_be_released(record: TracedGraph) -> bool:
    """Whether backward may have run (a leaf has a grad), if torch does not show which saved tensors are still
    held."""
    if record.is_structure_only or not any(
        saved.before == "unknown" for node in record.nodes for saved in node.saved
    ):
        return False
    return any(seen.before["grad"].value is not None for seen in record.tensors.values())


def _grads_differ(first: TracedGraph, now: TracedGraph) -> bool:
    """Whether the grad of a leaf differs from the first trace (NaN equals NaN)."""
    for pair, seen in now.tensors.items():
        earlier, grad = first.tensors.get(pair), seen.before["grad"]
        if earlier is None or earlier.before["grad"] is grad:  # nearly always: neither has one
            continue
        if repr(earlier.before["grad"].value) != repr(grad.value):
            return True
    return False


def _without_states(record: TracedGraph) -> TracedGraph:
    """A record in which nothing is known before backward except the data of tensors."""
    seen = {pair: _without_grad(item) for pair, item in record.tensors.items()}
    if record.is_structure_only:
        return replace(record, tensors=seen)
    nodes = [
        replace(node, saved=[replace(saved, before="unknown") for saved in node.saved]) for node in record.nodes
    ]
    return replace(record, tensors=seen, nodes=nodes)


def _without_grad(seen: TensorSnapshot) -> TensorSnapshot:
    """A tensor of which only the data was known before backward."""
    return replace(seen, before={"data": seen.before["data"], "grad": Pending(unknown(_NOT_TRACED))})


def _joined(first: TracedGraph, now: TracedGraph) -> TracedGraph:
    """Take `before` from the first record and `after` from the current one."""
    seen = {pair: _joined_seen(item, now.tensors.get(pair)) for pair, item in first.tensors.items()}
    seen |= {
        pair: _joined_seen(_without_grad(item), item) for pair, item in now.tensors.items() if pair not in seen
    }
    nodes = first.nodes
    if not first.is_structure_only:
        nodes = [_joined_node(*pair) for pair in zip(first.nodes, now.nodes, strict=True)]
    constants = [replace(item, after=item.before) for item in first.constants]
    return replace(first, nodes=nodes, tensors=seen, constants=constants)


def _joined_seen(first: TensorSnapshot, now: TensorSnapshot | None) -> TensorSnapshot:
    after = now.before if now is not None else {"data": first.before["data"], "grad": first.before["grad"]}
    return replace(first, name=first.name or (now.name if now else None), after=after)


def _joined_node(first: NodeFacts, now: NodeFacts) -> NodeFacts:
    states = {saved.name: saved.before for saved in now.saved}
    saved = [replace(item, after=states.get(item.name, "released")) for item in first.saved]
    return replace(first, saved=saved)
