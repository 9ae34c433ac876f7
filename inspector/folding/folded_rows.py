"""Build the rows of a folded graph."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from inspector.folding.box_statistics import flow_attributes, fold_attributes
from inspector.folding.boxes import FoldedBox, Item, following_items, functions_of, item_id, members
from inspector.graph import Graph
from inspector.graph.row_types import NextEdge
from inspector.graph.rows import Rows
from inspector.graph.topology import Topology, topology_of
from inspector.graph.traversal import strong_components

_FUNCTION_AND_TENSOR = ("grad_fn", "accumulate", "saved")


def build_folded_rows(whole: Graph, items: Sequence[Item]) -> Rows:
    """The rows of the items: functions with their tensors, boxes with their statistics, and edges.

    An edge that starts or ends at a box has the kind `flow` and stands for all edges between the two items.
    Attributes of functions outside of boxes are those of `whole`, not copies.
    """
    of = topology_of(whole)
    rows = Rows()
    shown = _shown(whole, of, items)
    boxes = {item_id(of.ids, item): item for item in items if isinstance(item, FoldedBox)}
    first = {of.ids[box.positions[0]]: identifier for identifier, box in boxes.items()}
    for identifier, attributes in whole.rows.nodes.items():
        if identifier in first:
            box = boxes[first[identifier]]
            rows.add_node(first[identifier], dict(fold_attributes(whole, of, box)))
        if identifier in shown:
            rows.add_node(identifier, dict(attributes))
    names = [item_id(of.ids, item) for item in items]
    _add_tensor_edges(rows, whole, of, items)
    _add_flow(rows, of, items, names)
    return rows


def _shown(whole: Graph, of: Topology, items: Sequence[Item]) -> set[str]:
    """The functions that are items, their tensors, and the roots."""
    shown = {root for root in whole.roots if root in whole.rows}
    successors, predecessors = whole.rows.succ, whole.rows.pred
    for item in items:
        if isinstance(item, FoldedBox):
            continue
        identifier = of.ids[item]
        shown.add(identifier)
        for neighbours in (successors[identifier], predecessors[identifier]):
            for other, parallel in neighbours.items():
                if any(edge["kind"] in _FUNCTION_AND_TENSOR for edge in parallel.values()):
                    shown.add(other)
    return shown


def _add_tensor_edges(rows: Rows, whole: Graph, of: Topology, items: Sequence[Item]) -> None:
    """Add grad_fn, accumulate and saved edges whose ends are both shown, and edges from roots to boxes."""
    for source in rows.nodes:
        if source not in whole.rows:
            continue
        for target, attributes in whole.rows.out_edges(source):
            if attributes["kind"] in _FUNCTION_AND_TENSOR and target in rows:
                rows.add_edge(source, target, dict(attributes))
    owner = {of.ids[position]: items[index] for position, index in functions_of(items)}
    for root in whole.roots:
        function = whole.tensor(root)["grad_fn"] if root in whole.rows else None
        box = None if function is None else owner.get(function)
        if isinstance(box, FoldedBox):
            rows.add_edge(root, item_id(of.ids, box), {"kind": "grad_fn"})


def _add_flow(rows: Rows, of: Topology, items: Sequence[Item], names: Sequence[str]) -> None:
    owner = array("i", [-1]) * len(of)
    for position, index in functions_of(items):
        owner[position] = index
    bundles: dict[tuple[int, int], list[NextEdge]] = {}
    for position, mine in enumerate(owner):
        for edge in range(of.starts[position], of.starts[position + 1]):
            other = owner[of.targets[edge]]
            if other == mine or mine < 0 or other < 0:
                continue
            if isinstance(items[mine], FoldedBox) or isinstance(items[other], FoldedBox):
                bundles.setdefault((mine, other), []).append(of.edges[edge])
            else:
                rows.add_edge(names[mine], names[other], dict(of.edges[edge]))
    back = _back_edges(of, items, bundles) if bundles else set()
    for (source, target), edges in bundles.items():
        attributes = flow_attributes(edges)
        attributes["back"] = (source, target) in back
        rows.add_edge(names[source], names[target], attributes)


def _back_edges(
    of: Topology, items: Sequence[Item], bundles: dict[tuple[int, int], list[NextEdge]]
) -> set[tuple[int, int]]:
    """The back edges of cycles of items: without them the items have a topological order.

    In a cycle, the item whose first function comes first in topological order is first. An edge between two
    functions always goes forwards, so only edges of boxes can be back edges.
    """
    first = [min(of.turns[position] for position in members(item)) for item in items]
    component = strong_components(following_items(of, items))
    return {
        (source, target)
        for source, target in bundles
        if component[source] == component[target] and first[source] > first[target]
    }
