"""Replay backward: a graph after a number of steps, and with its steps in another order."""

from __future__ import annotations

import math
from collections.abc import Iterator

from msgspec import Struct

from inspector.graph.model import Graph
from inspector.graph.rows import Rows, rows_of
from inspector.graph.topology import topology_of
from inspector.graph.values import unknown
from inspector.options.choices import Order, check_choice

_NOT_YET = "not run yet"


class ReplayFrame(Struct, frozen=True):
    """The running functions or boxes of a view in one frame, and their first and last step, counted from 1."""

    shown: tuple[str, ...]
    first: int
    last: int


def replay_frames(graph: Graph, most: int) -> list[ReplayFrame]:
    """The frames of all functions and boxes of a graph, in the order of the first step of each.

    The frame of a box lasts until the next one begins, because its functions may run with others between them. An
    AccumulateGrad that a view draws at its user has no separate frame. most: the maximum number of frames; if
    there would be more, each frame has several functions or boxes.
    """
    first = sorted((step, identifier) for identifier, step in _first_steps(graph))
    if not first:
        return []
    size = math.ceil(len(first) / most)
    groups = [first[start : start + size] for start in range(0, len(first), size)]
    starts = [group[0][0] for group in groups[1:]] + [len(graph.steps) + 1]
    return [
        ReplayFrame(tuple(identifier for _, identifier in group), 1 if not number else group[0][0], start - 1)
        for number, (group, start) in enumerate(zip(groups, starts, strict=True))
    ]


def _first_steps(graph: Graph) -> Iterator[tuple[str, int]]:
    boxes = [(key, node) for key, node in graph.rows.nodes.items() if node["kind"] == "fold"]
    for identifier, box in boxes:
        if box["steps"]:
            yield identifier, box["steps"][0]
    for identifier, node in graph.functions():
        on_its_user = boxes and node["is_leaf"] and graph.rows.pred[identifier]
        if isinstance(node["step"], int) and not on_its_user:
            yield identifier, node["step"]


def reordered(graph: Graph, order: Order) -> Graph:
    """The graph with its steps in torch's order (`engine`), or level by level from the roots (`textbook`).

    The functions of a level are in walk order. Raises ValueError for an unknown order.
    """
    check_choice("order", order)
    if order == "engine" or not graph.steps:
        return graph
    of = topology_of(graph)
    steps = sorted(graph.steps, key=lambda step: (of.levels[of.index[step]], of.index[step]))
    turns = {identifier: index for index, identifier in enumerate(steps, start=1)}
    rows = copied(graph)
    for identifier, node in rows.nodes.items():
        if identifier in turns:
            node["step"] = turns[identifier]
    made = changed(graph, rows, steps, graph.error)
    made.order = order
    return made


def after_steps(graph: Graph, count: int) -> Graph:
    """The graph after `count` of its steps: its `after` is the state at that moment.

    The error raised by backward, if any, comes after all steps.
    """
    if count >= len(graph.steps):
        return changed(graph, graph.rows, graph.steps, None) if graph.error else graph
    ran, makers = set(graph.steps[:count]), topology_of(graph).makers
    rows = copied(graph)
    for identifier, node in rows.nodes.items():
        maker, _ = makers.get(identifier, (identifier, 0))
        if maker not in ran:
            node["after"] = node["before"]
            node["gradient"] = unknown(_NOT_YET)
            if node["kind"] == "function":
                node["step"] = None
                node["saved"] = [saved | {"after": saved["before"]} for saved in node["saved"]]
    for source, _, edge in rows.edges():
        if edge["kind"] in ("next", "accumulate") and source not in ran:
            edge["gradient"] = unknown(_NOT_YET)
    return changed(graph, rows, graph.steps[:count], None)


def copied(graph: Graph) -> Rows:
    """A copy of the rows and of its dictionaries of attributes, one level deep."""
    nodes = ((key, dict(node)) for key, node in graph.rows.nodes.items())
    edges = ((source, target, dict(edge)) for source, target, edge in graph.rows.edges())
    return rows_of(nodes, edges)


def changed(graph: Graph, rows: Rows, steps: list[str], error: str | None) -> Graph:
    """The graph with other rows, and with the marks of its findings, its scale, note and order."""
    made = Graph(lambda: rows, roots=graph.roots, steps=steps, error=error)
    made.marks, made.scale, made.note = graph.marks, graph.scale, graph.note
    made.order = graph.order
    return made
