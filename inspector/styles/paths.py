"""The paths between two tensors of a graph, and the sum over them. No torch needed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, cast

from msgspec import Struct

from inspector.folding.finding_marks import shown_by
from inspector.graph import Graph
from inspector.graph.row_types import FlowEdge, NextEdge
from inspector.graph.tensor_names import numbered_name
from inspector.graph.topology import topology_of
from inspector.graph.traversal import reach
from inspector.graph.values import is_number
from inspector.styles.value_text import AGREEMENT
from inspector.typography import format_number, sanitize
from inspector.typography.number_format import MINUS

MOST_PATHS = 4
"""Maximum number of products that are written out; the rest becomes an ellipsis."""
_SHORT = 3
_FLOWING = ("next", "flow")
"""Kinds of edges between functions, and between boxes."""
_MOST_COUNTED = 200
"""Maximum number of paths in a sum: their number can grow exponentially with the graph."""

Edge = tuple[str, str, NextEdge | FlowEdge]


class PathError(ValueError):
    """Unknown tensors, or tensors that no path connects. The message is one line."""


class PathHighlight(Struct, frozen=True):
    """The paths between two tensors: ids of their nodes (a box is included if a member is), and of their edges as
    `SOURCE.SLOT`, or `SOURCE.TARGET` for an edge from or to a box."""

    nodes: frozenset[str]
    edges: frozenset[str]
    sum: str


class TensorPaths(Struct, frozen=True):
    """The paths from the roots to a tensor: ids of nodes and edges. own: the nodes that stand for the tensor."""

    nodes: frozenset[str]
    edges: frozenset[str]
    own: frozenset[str]


def find_paths(graph: Graph, path: str) -> PathHighlight:
    """The paths of `u:f`, between a tensor u and a tensor f computed from it, in either order.

    For a folded graph both are looked up in the whole graph, since either may be inside a box. Raises PathError
    for an invalid form, for unknown names, and for tensors that are not connected.
    """
    shown, graph = graph, getattr(graph, "whole", graph)
    one, colon, other = path.partition(":")
    if not colon or not one.strip() or not other.strip():
        raise PathError(f"--path {path}: expected two tensors, as in --path x:loss")
    ends = [_find(graph, name.strip()) for name in (one, other)]
    for leaf, root in (ends, ends[::-1]):
        functions = _between(graph, _function(graph, root), _function(graph, leaf))
        if functions:
            return _highlight_of(shown, graph, (leaf, root), functions)
    raise PathError(f"no path between {one.strip()} and {other.strip()}: neither was computed from the other")


def find_tensor_paths(graph: Graph, name: str) -> TensorPaths:
    """The paths from all roots to a tensor. Raises PathError for an unknown name."""
    shown, graph = graph, getattr(graph, "whole", graph)
    tensor = _find(graph, name)
    maker = _function(graph, tensor)
    functions = {maker}.union(*(_between(graph, _function(graph, root), maker) for root in graph.roots))
    found = _highlight_of(shown, graph, (tensor, tensor), functions)
    return TensorPaths(found.nodes, found.edges, frozenset({tensor, shown_by(shown).get(maker, maker)}))


def path_sum(graph: Graph, leaf: str, root: str) -> str:
    """`∂f/∂u = 1 · 2 + 1 · 2 = 4`: the products of the local derivatives along each path, and their sum.

    leaf, root: ids of tensors. Empty if a derivative on a path is unknown, or if the sum differs from the measured
    gradient.
    """
    start, end = _function(graph, root), _function(graph, leaf)
    inside = _between(graph, start, end)
    ways: list[list[float]] = []
    for way in _ways(graph, start, end, inside):
        factors = [_factor(edge) for _, _, edge in way]
        if None in factors or len(ways) == _MOST_COUNTED:
            return ""
        ways.append([factor for factor in factors if factor is not None])
    total = sum(map(_product, ways))
    if not ways or not ways[0] or not _is_measured(graph, leaf, root, total):
        return ""
    shown = [" · ".join(_in_brackets(factor) for factor in _essential(way)) for way in ways[:MOST_PATHS]]
    shown += ["…"] if len(ways) > MOST_PATHS else []
    written = " + ".join(shown)
    result = format_number(total)
    if written == result:
        return f"∂{_name(graph, root)}/∂{_name(graph, leaf)} = {result}"
    return f"∂{_name(graph, root)}/∂{_name(graph, leaf)} = {written} = {result}"


def _highlight_of(shown: Graph, graph: Graph, ends: tuple[str, str], functions: set[str]) -> PathHighlight:
    """The highlighted parts of a folded graph (`shown`). functions: those on the paths."""
    leaf, root = ends
    holders = shown_by(shown)
    nodes = {holders.get(function, function) for function in functions}
    for key, tensor in graph.tensors():
        made = tensor["grad_fn"]
        if (made is not None and (made in functions or holders.get(made) in functions)) or key in ends:
            nodes.add(key)
    edges = set()
    for source, target, edge in _flows(graph):
        if source in functions and target in functions:
            one, other = holders.get(source, source), holders.get(target, target)
            if edge["kind"] == "flow" or (one, other) != (source, target):
                edges.add(f"{one}.{other}")
            else:
                edges.add(f"{source}.{edge['slot']}")
    return PathHighlight(frozenset(nodes), frozenset(edges), path_sum(graph, leaf, root))


def _flows(graph: Graph) -> Iterator[Edge]:
    """The edges between functions, and from and to boxes."""
    yield from graph.edges("next")
    yield from graph.edges("flow")


def _find(graph: Graph, name: str) -> str:
    named = [(key, known, tensor) for key, tensor in graph.tensors() if (known := numbered_name(tensor))]
    names = {sanitize(known): key for key, known, _ in reversed(named)}
    if name in names:
        return names[name]
    last = max((item for item in named if item[2]["name"] == name), key=lambda item: item[2]["pass"], default=None)
    if last is not None:
        return last[0]
    typed = {f"{row['name']}_{row['pass']}": key for key, _, row in named if "pass" in row}
    if name in typed:
        return typed[name]
    near = difflib.get_close_matches(name, names, 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise PathError(f"no tensor {name!r}{hint}; the tensors are: {', '.join(sorted(names)) or 'none with a name'}")


def _function(graph: Graph, tensor: str) -> str:
    """The function that made a tensor, or the AccumulateGrad of a leaf, or the box that it is in; `""` if none."""
    function, _ = topology_of(graph).makers.get(tensor, ("", 0))
    # A graph that was saved folded may only have the box of the function.
    return function if function in graph.rows else shown_by(graph).get(function, function)


def _between(graph: Graph, start: str, end: str) -> set[str]:
    """All functions on any path between two functions, both included; empty if there is no path."""
    if start not in graph.rows or end not in graph.rows:
        return set()
    ahead = set(reach([start], partial(_beside, graph.rows.succ)))
    return ahead.intersection(reach([end], partial(_beside, graph.rows.pred))) if end in ahead else set()


def _beside(ends: Mapping[str, Any], here: str) -> Iterator[str]:
    """Where the edges between functions and boxes lead. ends: `succ` or `pred` of a network."""
    for other, parallel in ends[here].items():
        if any(edge["kind"] in _FLOWING for edge in parallel.values()):
            yield other


def _ways(graph: Graph, start: str, end: str, inside: set[str]) -> Iterator[list[Edge]]:
    """Every path within `inside` as a list of edges, ordered by slots."""
    waiting: list[tuple[str, list[Edge]]] = [(start, [])]
    while waiting:
        here, way = waiting.pop()
        if here == end:
            yield way
            continue
        leaving = [
            (here, target, cast("NextEdge | FlowEdge", edge))
            for target, edge in graph.rows.out_edges(here)
            if edge["kind"] in _FLOWING and target in inside
        ]
        for edge in sorted(leaving, key=lambda item: _slot(item[2]), reverse=True):
            waiting.append((edge[1], [*way, edge]))


def _slot(edge: NextEdge | FlowEdge) -> int:
    return edge["slot"] if edge["kind"] == "next" else 0


def _factor(edge: NextEdge | FlowEdge) -> float | None:
    local = edge.get("local")
    value: Any = local.get("value") if isinstance(local, dict) else None
    return float(value) if is_number(value) and not isinstance(value, complex) else None


def _product(factors: list[float]) -> float:
    product = 1.0
    for factor in factors:
        product *= factor
    return product


def _is_measured(graph: Graph, leaf: str, root: str, total: float) -> bool:
    """Whether the sum equals the gradient of the leaf divided by that of the root."""
    arrived, began = graph[leaf]["gradient"], graph[root]["gradient"]
    if not is_number(arrived) or not is_number(began):
        return False
    if root not in graph.roots or len(graph.roots) > 1:
        return True  # part of the gradient comes from elsewhere
    measured = total * began
    return bool(measured == arrived or abs(measured - arrived) <= AGREEMENT * max(abs(measured), abs(arrived)))


def _essential(factors: list[float]) -> list[float]:
    """A long product without factors of one; one factor at least."""
    if len(factors) <= _SHORT:
        return factors
    return [factor for factor in factors if factor != 1] or [1.0]


def _in_brackets(factor: float) -> str:
    text = format_number(factor)
    return f"({text})" if text.startswith(MINUS) else text


def _name(graph: Graph, tensor: str) -> str:
    return sanitize(numbered_name(graph.tensor(tensor)) or "") or tensor
