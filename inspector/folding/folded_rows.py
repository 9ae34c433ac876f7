"""Build the rows of a folded graph."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

import numpy

from inspector.folding.box_statistics import flow_attributes, fold_attributes
from inspector.folding.boxes import FoldedBox, Item, as_column, column_of, item_id, members
from inspector.graph import Graph
from inspector.graph.row_types import EdgeRow
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
    boxes = {of.ids[item.positions[0]]: item for item in items if isinstance(item, FoldedBox)}
    for identifier in _in_walk_order(whole, shown | boxes.keys()):
        if identifier in boxes:
            box = boxes[identifier]
            rows.add_node(item_id(of.ids, box), dict(fold_attributes(of, box)))
        if identifier in shown:
            rows.add_node(identifier, dict(whole[identifier]))
    names = [item_id(of.ids, item) for item in items]
    _add_tensor_edges(rows, whole, of, items)
    _add_flow(rows, of, items, names)
    return rows


def _shown(whole: Graph, of: Topology, items: Sequence[Item]) -> set[str]:
    """The functions that are items, their tensors, and the roots."""
    shown = {root for root in whole.roots if root in whole}
    for item in items:
        if isinstance(item, FoldedBox):
            continue
        identifier = of.ids[item]
        shown.add(identifier)
        shown.update(target for target, _ in _tensor_edges(whole, identifier))
        shown.update(of.made.get(identifier, ()))
    return shown


def _in_walk_order(graph: Graph, identifiers: AbstractSet[str]) -> list[str]:
    if graph.source is not None:
        return graph.source.in_walk_order(identifiers)
    return [identifier for identifier in graph.rows.nodes if identifier in identifiers]


def _tensor_edges(graph: Graph, source: str) -> list[tuple[str, EdgeRow]]:
    """(target, attributes) of the edges from a function or a tensor that are not between two functions."""
    edges = graph.rows.out_edges(source) if graph.source is None else graph.source.out_edges(source)
    return [(target, edge) for target, edge in edges if edge["kind"] in _FUNCTION_AND_TENSOR]


def _add_tensor_edges(rows: Rows, whole: Graph, of: Topology, items: Sequence[Item]) -> None:
    """Add grad_fn, accumulate and saved edges whose ends are both shown, and edges from roots to boxes."""
    boxes = {item_id(of.ids, item) for item in items if isinstance(item, FoldedBox)}
    for source in rows.nodes:
        if source not in boxes:
            for target, attributes in _tensor_edges(whole, source):
                if target in rows:
                    rows.add_edge(source, target, dict(attributes))
    known = (root for root in whole.roots if root in whole)
    at_roots = {of.ids[position]: position for position in of.roots}
    made_by = {root: at_roots.get(whole.tensor(root)["grad_fn"] or "", -1) for root in known}
    holders = [item for item in items if isinstance(item, FoldedBox)] if made_by else []
    owner = {
        maker: box for box in holders for maker in set(made_by.values()) if _holds(box, maker)
    }
    for root in whole.roots:
        box = owner.get(made_by.get(root, -1))
        if box is not None:
            rows.add_edge(root, item_id(of.ids, box), {"kind": "grad_fn"})


def _holds(box: FoldedBox, position: int) -> bool:
    positions = box.positions
    place = bisect_left(positions, position)
    return place < len(positions) and positions[place] == position


def _add_flow(rows: Rows, of: Topology, items: Sequence[Item], names: Sequence[str]) -> None:
    sources, targets, edges = _edges_between(of, items)
    bundles: dict[tuple[int, int], list[int]] = {}
    for mine, other, edge in zip(sources, targets, edges, strict=True):
        if isinstance(items[mine], FoldedBox) or isinstance(items[other], FoldedBox):
            bundles.setdefault((mine, other), []).append(edge)
        else:
            rows.add_edge(names[mine], names[other], dict(of.edges[edge]))
    back = _back_edges(of, items, bundles)
    for (source, target), own in bundles.items():
        attributes = flow_attributes(of, own)
        attributes["back"] = (source, target) in back
        rows.add_edge(names[source], names[target], attributes)


def _edges_between(of: Topology, items: Sequence[Item]) -> tuple[list[int], list[int], list[int]]:
    """The edges between items in the order of the graph: the indexes of both items, and the edge's number."""
    flat, owners = column_of(items)
    owner = numpy.full(len(of), -1, numpy.int32)
    owner[flat] = owners
    starts = numpy.asarray(of.starts, numpy.int32)
    sources = numpy.repeat(owner, starts[1:] - starts[:-1])
    targets = owner[numpy.asarray(of.targets, numpy.int32)]
    edges = numpy.flatnonzero((sources != targets) & (sources >= 0) & (targets >= 0))
    return sources[edges].tolist(), targets[edges].tolist(), edges.tolist()


def _back_edges(
    of: Topology, items: Sequence[Item], bundles: Iterable[tuple[int, int]]
) -> set[tuple[int, int]]:
    """The back edges of cycles of items: without them the items have a topological order.

    In a cycle, the item whose first function comes first in topological order is first. An edge between two
    functions always goes forwards, so only edges of boxes can be back edges.
    """
    turns = numpy.empty(len(of), numpy.int32)
    turns[numpy.asarray(of.order, numpy.int32)] = numpy.arange(len(of), dtype=numpy.int32)
    first = [int(turns[as_column(members(item))].min()) for item in items]
    backwards = [(source, target) for source, target in bundles if first[source] > first[target]]
    if not backwards:
        return set()
    following: list[list[int]] = [[] for _ in items]
    for source, target in dict.fromkeys(zip(*_edges_between(of, items)[:2], strict=True)):
        following[source].append(target)
    component = strong_components(following)
    return {(source, target) for source, target in backwards if component[source] == component[target]}
