"""What a graph was when it was first traced, remembered for as long as the graph itself lives.

The first Record of a graph lies in the `metadata` of its root Node, which torch keeps with the Node. It holds
plain values and weak references: a tensor in there would be a cycle that nothing frees.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from inspector.graph.values import unknown
from inspector.summaries import Pending
from inspector.tracer.flow import Flow
from inspector.tracer.tensors import Seen
from inspector.tracer.tracing import NodeRecord, Record

_KEY = "autograd-inspector"
_NOT_WATCHED = "backward ran while nothing was recorded"
_NOT_TRACED = "it was not traced before backward"


def with_memory(root: Any, record: Record) -> tuple[Record, Flow | None]:
    """`record` joined with the first one of the same graph: (record, flow).

    root: the root Node. The flow is None as long as no backward went through.
    """
    first: Record | None = root.metadata.get(_KEY)
    if first is None or not _is_same_graph(first, record):
        first = root.metadata[_KEY] = record
        if not _is_released(record) and not _may_be_released(record):
            return record, None
        first = _without_states(record)
    elif not _is_released(record) and not _grads_differ(first, record):
        return record, None
    return _joined(first, record), Flow(not_recorded=_NOT_WATCHED)


def _is_same_graph(first: Record, now: Record) -> bool:
    return first.structure.names == now.structure.names


def _is_released(record: Record) -> bool:
    if record.is_bare:  # what its Nodes saved was not looked at
        return False
    return any(saved.before == "released" for node in record.nodes for saved in node.saved)


def _may_be_released(record: Record) -> bool:
    """Whether backward may have run, where torch does not tell what Nodes still hold: there is a grad."""
    if record.is_bare or not any(saved.before == "unknown" for node in record.nodes for saved in node.saved):
        return False
    return any(seen.before["grad"].value is not None for seen in record.seen.values())


def _grads_differ(first: Record, now: Record) -> bool:
    """Whether a leaf's grad is another than at first (NaN is the same as NaN)."""
    for pair, seen in now.seen.items():
        earlier = first.seen.get(pair)
        if earlier is not None and repr(earlier.before["grad"].value) != repr(seen.before["grad"].value):
            return True
    return False


def _without_states(record: Record) -> Record:
    """A record of which nothing is known before backward, but for the data that tensors hold."""
    seen = {pair: _without_grad(item) for pair, item in record.seen.items()}
    if record.is_bare:
        return replace(record, seen=seen)
    nodes = [
        replace(node, saved=[replace(saved, before="unknown") for saved in node.saved]) for node in record.nodes
    ]
    return replace(record, seen=seen, nodes=nodes)


def _without_grad(seen: Seen) -> Seen:
    """A tensor of which only the data was known before backward."""
    return replace(seen, before={"data": seen.before["data"], "grad": Pending(unknown(_NOT_TRACED))})


def _joined(first: Record, now: Record) -> Record:
    """Before from the first record, after from the one of now."""
    seen = {pair: _joined_seen(item, now.seen.get(pair)) for pair, item in first.seen.items()}
    seen |= {pair: _joined_seen(_without_grad(item), item) for pair, item in now.seen.items() if pair not in seen}
    nodes = first.nodes
    if not first.is_bare:
        nodes = [_joined_node(*pair) for pair in zip(first.nodes, now.nodes, strict=True)]
    constants = [replace(item, after=item.before) for item in first.constants]
    return replace(first, nodes=nodes, seen=seen, constants=constants)


def _joined_seen(first: Seen, now: Seen | None) -> Seen:
    after = now.before if now is not None else {"data": first.before["data"], "grad": first.before["grad"]}
    return replace(first, name=first.name or (now.name if now else None), after=after)


def _joined_node(first: NodeRecord, now: NodeRecord) -> NodeRecord:
    states = {saved.name: saved.before for saved in now.saved}
    saved = [replace(item, after=states.get(item.name, "released")) for item in first.saved]
    return replace(first, saved=saved)
