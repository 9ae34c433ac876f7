"""The backward graph as a tree of text lines: one line per edge, with shared functions drawn once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from inspector.graph import Graph
from inspector.graph.row_types import FunctionRow, NextEdge, TensorRow
from inspector.terminal.labels import function_title
from inspector.terminal.text_cells import QUIET, STRONG


@dataclass(frozen=True)
class Visit:
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
    below: dict[str, list[tuple[str, NextEdge]]] = defaultdict(list)
    waiting = Counter[str]()
    for source, target, edge in graph.edges("next"):
        below[source].append((target, edge))
        waiting[target] += 1
    starts = [start for start in _start_functions(graph) if not waiting[start]]
    stack: list[tuple[str, str | None, NextEdge | None, tuple[bool, ...]]] = []
    stack.extend((start, None, None, ()) for start in reversed(starts))
    while stack:
        function, parent, into, trail = stack.pop()
        waiting[function] -= 1
        ends = waiting[function] <= 0
        yield Visit(function, parent, into, trail, ends)
        if ends:
            slots = sorted(below[function], key=lambda item: int(item[1]["slot"]), reverse=True)
            stack.extend(
                (target, function, edge, (*trail, position == 0)) for position, (target, edge) in enumerate(slots)
            )


def _start_functions(graph: Graph) -> list[str]:
    """The functions of the roots (the AccumulateGrad of a root that is a leaf), each once."""
    accumulators = {target: source for source, target, _ in graph.edges("accumulate")}
    starts = (graph.tensor(root)["grad_fn"] or accumulators.get(root) for root in graph.roots)
    return list(dict.fromkeys(start for start in starts if start is not None))


def tensors_made(graph: Graph) -> dict[str, list[TensorRow]]:
    """Function → its output tensors; for an AccumulateGrad its leaf."""
    made: dict[str, list[TensorRow]] = defaultdict(list)
    for _, tensor in graph.tensors():
        if tensor["grad_fn"] is not None:
            made[tensor["grad_fn"]].append(tensor)
    for function, leaf, _ in graph.edges("accumulate"):
        made[function].append(graph.tensor(leaf))
    return made


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
