"""Mark findings in a graph for its figure: a label on the faulty Node, and the path to the affected leaves."""

from __future__ import annotations

from inspector.diagnosis.backward_view import BackwardView
from inspector.graph import Graph
from inspector.report import Finding, Report


def mark_graph(report: Report) -> None:
    """Set the marks of the graphs of a report according to its findings, except notes."""
    for row in report.calls:
        findings = [item for item in report.findings if item.backward_call == row.index]
        call = BackwardView(row)
        for finding in findings:
            if finding.severity != "note":
                _mark(call, row.graph, finding)


def _mark(call: BackwardView, graph: Graph, finding: Finding) -> None:
    nodes = [_function(call, node) for node in finding.nodes]
    known = [node for node in nodes if node in call.functions]
    names = set(finding.parameters)
    ends = [node for node, leaf in call.leaf_of.items() if call.name(leaf) in names]
    way = set(call.towards_leaves(known[:1])) & set(call.towards_root(ends))
    if not known:  # the defect is not in a Node but in a step or an optimizer
        known, way = ends, set(ends)
    if not known:
        return
    earlier = graph.marks.texts.get(known[0])
    graph.marks.texts[known[0]] = finding.rule if earlier is None else f"{earlier}, {finding.rule}"
    graph.marks.harmed |= way | {known[0]} | {call.leaf_of[node] for node in ends if node in way}


def _function(call: BackwardView, identifier: str) -> str:
    """The Node with this id; for a tensor's id, the Node that created it."""
    tensor = call.tensors.get(identifier)
    return identifier if tensor is None or tensor["grad_fn"] is None else str(tensor["grad_fn"])
