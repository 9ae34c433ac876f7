"""What is inside of functions, compiled ones and reentrant checkpoints, in lines of text."""

from __future__ import annotations

from itertools import groupby

from rich.text import Text

from inspector.graph import Graph, is_unknown
from inspector.graph.inner_parts import leaves_inside
from inspector.graph.row_types import InnerOperation, InnerPart
from inspector.graph.values import Unknown
from inspector.terminal.labels import function_title, place
from inspector.terminal.text_cells import QUIET, wrapped
from inspector.typography import pluralize

_MOST = 6
"""Number of functions that are described."""

_LEAVES = 6
"""Number of leaves that are named for a function."""
_NAMED = 3
"""Number of modules that are named for a line."""


def inner_lines(graph: Graph, width: int) -> list[Text]:
    """A line for each function with operations inside, in the order of the forward: how many, and for which lines,
    modules and leaves. Empty if there is none."""
    rows = [row for _, row in graph.functions() if "compiled" in row or "nested" in row]
    lines = []
    for row in reversed(rows[:_MOST]):
        number = f"{row['step']} " if isinstance(row["step"], int) else ""
        text = _description(row["compiled"]) if "compiled" in row else _of_nested(row["nested"])
        lines += wrapped(Text(f"{number}{function_title(row['name'])}  "), Text(text, style=QUIET), width)
    if len(rows) > _MOST:
        lines.append(Text(f"{len(rows) - _MOST} more functions with operations inside", style=QUIET))
    return lines


def _of_nested(part: InnerPart | Unknown) -> str:
    """`9 Nodes of the graph that it ran in backward, with the leaves fc1.weight, fc1.bias`"""
    if is_unknown(part):
        return f"the graph that it ran in backward is unknown: {part['unknown']}"
    text = f"{pluralize(len(part['operations']), 'Node')} of the graph that it ran in backward"
    leaves = leaves_inside(part)
    named = [*leaves[:_LEAVES], *(["…"] if len(leaves) > _LEAVES else [])]
    return f"{text}, with the leaves {', '.join(named)}" if named else text


def _description(part: InnerPart | Unknown) -> str:
    if is_unknown(part):
        return f"the operations of torch.compile are unknown: {part['unknown']}"
    operations = part["operations"]
    text = f"{len(operations)} {'operation' if len(operations) == 1 else 'operations'} of torch.compile"
    ordered = sorted(operations, key=_line)
    places = [_text(key, list(group)) for key, group in groupby(ordered, key=_line) if key[0]]
    text += f" for {', '.join(places)}" if places else ""
    if "graph_break" in part:
        text += f"; begins after the graph break at {place(part['graph_break'])}"
    return text


def _line(operation: InnerOperation) -> tuple[str, int]:
    source = operation["source"]
    return ("", 0) if source is None else (source["file"], source["line"])


def _text(key: tuple[str, int], operations: list[InnerOperation]) -> str:
    """`train.py:12 (fc1)`"""
    found = [operation["module"] for operation in operations]
    modules = list(dict.fromkeys(module for module in found if module and isinstance(module, str)))
    names = [*modules[:_NAMED], *(["…"] if len(modules) > _NAMED else [])]
    return f"{key[0]}:{key[1]}" + (f" ({', '.join(names)})" if names else "")
