"""The backward graph as a tree of text lines: one line per edge, with shared functions drawn once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from rich.text import Text

from inspector.graph import Graph
from inspector.graph.row_types import FunctionRow, NextEdge, TensorRow
from inspector.graph.topology import topology_of
from inspector.terminal.labels import function_title
from inspector.terminal.text_cells import QUIET, STRONG


class Visit(Struct, frozen=True):
    """One edge into a function (None for the function of a root), in drawing order.

    trail: for the function and each of its ancestors below the root, whether it is the last child. ends: whether
    this is the last edge into the function; its own edges are drawn below it.
    """

    function: str
    source: str | None
    edge: NextEdge | None
    trail: tuple[bool, ...]
    ends: bool


def visits(graph: Graph) -> Iterator[Visit]:
    """Every edge once, depth first; a function's own edges follow the last edge into it."""
    of = topology_of(graph)
    waiting = [len(of.arrivals.of(position)) for position in range(len(of))]
    starts = [position for position in of.roots if not waiting[position]]
    stack: list[tuple[int, str | None, NextEdge | None, tuple[bool, ...]]] = []
    stack.extend((start, None, None, ()) for start in reversed(starts))
    while stack:
        position, parent, into, trail = stack.pop()
        function = of.ids[position]
        waiting[position] -= 1
        ends = waiting[position] <= 0
        yield Visit(function, parent, into, trail, ends)
        if ends:
            edges = enumerate(reversed(list(of.leaving(position))))
            stack.extend((target, function, edge, (*trail, not place)) for place, (target, edge) in edges)


def tensors_made(graph: Graph) -> dict[str, list[TensorRow]]:
    """For each function the tensors that it made; for an AccumulateGrad its leaf."""
    of = topology_of(graph)
    return {function: [graph.tensor(tensor) for tensor in of.made.get(function, ())] for function in of.ids}


def tree_cells(graph: Graph, drawn: Sequence[Visit], room: int) -> list[tuple[Text, Text]]:
    """For each visit, its branch with step and name, and the stems that pass below it.

    Branches move closer together if the tree is wider than `room`.
    """
    names = [_node_name(graph.function(visit.function), visit.ends) for visit in drawn]
    for indent in (3, 2, 1):
        cells = [
            Text.assemble((_branches(visit.trail, indent), QUIET), name)
            for visit, name in zip(drawn, names, strict=True)
        ]
        if max((cell.cell_len for cell in cells), default=0) <= room:
            break
    parents = {visit.source for visit in drawn}
    open_below = [visit.ends and visit.function in parents for visit in drawn]
    stems = [
        Text(_stems(visit.trail, indent) + ("│" if more else ""), style=QUIET)
        for visit, more in zip(drawn, open_below, strict=True)
    ]
    return list(zip(cells, stems, strict=True))


def _node_name(function: FunctionRow, ends: bool) -> Text:
    """`3 MulBackward`, with an arrow if the function is drawn further down."""
    step, title = function["step"], function_title(function["name"])
    turn = f"{step} " if isinstance(step, int) else ""
    return Text.assemble((turn, QUIET), (title, STRONG) if ends else (f"{title} ↓", QUIET))


def _branches(trail: tuple[bool, ...], indent: int) -> str:
    if not trail:
        return ""
    corner = "└" if trail[-1] else "├"
    return _stems(trail[:-1], indent) + {3: f"{corner}─ ", 2: f"{corner} ", 1: corner}[indent]


def _stems(trail: tuple[bool, ...], indent: int) -> str:
    return "".join(("" if last else "│").ljust(indent) for last in trail)
