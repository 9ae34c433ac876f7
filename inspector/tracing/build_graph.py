"""Build a Graph from a TracedGraph and the recorded gradients."""

from __future__ import annotations

from inspector.graph.model import Graph
from inspector.tracing.gradient_flow import GradientFlow
from inspector.tracing.graph_values import MOST_NODES
from inspector.tracing.ids import Ids
from inspector.tracing.node_lookup import NodeLookup, RecordedForward
from inspector.tracing.traced_graph import TracedGraph
from inspector.tracing.traced_rows import TracedRows


def build_graph(
    record: TracedGraph, ids: Ids, flow: GradientFlow | None, forward: RecordedForward | None = None
) -> Graph:
    """The Graph of a traced backward call. Its rows are made when they are asked for, those of a small graph
    together.

    ids: of the record. flow: the recorded gradients, None if backward has not run. forward: the recorded forward.
    """
    source = TracedRows(record, ids, lambda: NodeLookup(record, flow, forward))
    return Graph(
        source if len(record.structure) > MOST_NODES else source.rows,
        roots=[ids.tensor(pair) for pair in record.roots],
        steps=[ids.function(position) for position in flow.steps] if flow else [],
        error=flow.error if flow else None,
    )
