"""What is in the Nodes of compiled functions, in lines of text."""

from __future__ import annotations

from itertools import groupby

from rich.text import Text

from inspector.graph import Graph, is_unknown
from inspector.graph.row_types import CompiledOperation, CompiledPart
from inspector.graph.values import Unknown
from inspector.terminal.labels import function_title, place
from inspector.terminal.text_cells import QUIET, wrapped

_MOST = 6
"""Number of compiled parts that are described."""

_NAMED = 3
"""Number of modules that are named for a line."""


def compiled_lines(graph: Graph, width: int) -> list[Text]:
    """A line for each compiled function of the graph, in the order of the forward: how many operations it has in
    backward, and for which lines and modules. Empty if torch.compile was not used."""
    parts = [(row["step"], row["name"], row["compiled"]) for _, row in graph.functions() if "compiled" in row]
    lines = []
    for step, name, part in reversed(parts[:_MOST]):
        number = f"{step} " if isinstance(step, int) else ""
        lines += wrapped(Text(f"{number}{function_title(name)}  "), Text(_description(part), style=QUIET), width)
    if len(parts) > _MOST:
        lines.append(Text(f"{len(parts) - _MOST} more compiled parts", style=QUIET))
    return lines


def _description(part: CompiledPart | Unknown) -> str:
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


def _line(operation: CompiledOperation) -> tuple[str, int]:
    source = operation["source"]
    return ("", 0) if source is None else (source["file"], source["line"])


def _text(key: tuple[str, int], operations: list[CompiledOperation]) -> str:
    """`train.py:12 (fc1)`"""
    modules = list(dict.fromkeys(operation["module"] for operation in operations if operation["module"]))
    names = [*modules[:_NAMED], *(["…"] if len(modules) > _NAMED else [])]
    return f"{key[0]}:{key[1]}" + (f" ({', '.join(names)})" if names else "")
