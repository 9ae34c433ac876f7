"""The source listing beside the graph: the lines that created functions, with the functions' numbers."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Sequence

from inspector.graph import Graph
from inspector.styles.plan import CodeLine
from inspector.styles.subject import Subject
from inspector.typography import sanitize

MOST_LINES = 24
"""Maximum lines; a longer script shows only the lines that created functions, and the lines around them."""
GAP = "⋮"
_AROUND = 1


def make_listing(subject: Subject, script: str | None, current: str | None = None) -> tuple[CodeLine, ...]:
    """The lines, each with the steps of the functions that it created.

    script: the source of the script; None if it is not available, then only lines in the graph are shown. current:
    the running function; its line is highlighted.
    """
    file, known = _known_lines(subject.graph)
    lines = dict(enumerate(script.splitlines(), start=1)) if script is not None else known
    if any(lines.get(number, "").strip() != code.splitlines()[0].strip() for number, code in known.items()):
        lines = known  # the file has changed since
    badges = _badges(subject, file)
    running = _line(subject.graph, current, file) if current else None
    listed = []
    last = 0
    begin = _beginning(script) if lines is not known else 0
    for number in _chosen([number for number in lines if number >= begin], set(known)):
        if last and number > last + 1:
            listed.append(CodeLine(0, GAP))
        last = number
        made = number in known
        ink = "gradient" if number == running else "ink" if made else "quiet"
        fill = "changed" if number == running else ""
        listed.append(CodeLine(number, sanitize(lines[number]).rstrip(), tuple(badges.get(number, ())), ink, fill))
    return tuple(listed)


def listed_file(graph: Graph) -> str:
    """The path of the listed file in the graph: the file that created most functions."""
    return _known_lines(graph)[0]


def _known_lines(graph: Graph) -> tuple[str, dict[int, str]]:
    """The file that created most functions, and the lines of it that did."""
    files: dict[str, dict[int, str]] = defaultdict(dict)
    for _, node in (*graph.functions(), *graph.tensors()):
        source = node["source"]
        if source is not None and "code" in source and source["code"]:
            files[source["file"]][source["line"]] = source["code"]
    if not files:
        return "", {}
    file = max(files, key=lambda name: len(files[name]))
    return file, dict(sorted(files[file].items()))


def _badges(subject: Subject, file: str) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for identifier, node in subject.graph.functions():
        line = _line(subject.graph, identifier, file)
        if line is not None and (badge := subject.badge(node)):
            found[line].append(badge)
    return {line: sorted(badges, key=int) for line, badges in found.items()}


def _line(graph: Graph, identifier: str, file: str) -> int | None:
    source = graph[identifier].get("source")  # a folded box has none: its Nodes come from several lines
    if isinstance(source, dict) and source.get("file") == file:
        return int(source["line"])
    return None


def _beginning(script: str | None) -> int:
    """The first line after the docstring and the imports at the start of a script."""
    try:
        body = ast.parse(script or "").body
    except SyntaxError:
        return 1
    for statement in body:
        docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not docstring and not isinstance(statement, (ast.Import, ast.ImportFrom)):
            return statement.lineno
    return 1


def _chosen(numbers: Sequence[int], made: set[int]) -> list[int]:
    """All lines of a short script; the lines of a long script that created functions, and their neighbours."""
    if len(numbers) <= MOST_LINES:
        return list(numbers)
    near = [number for number in numbers if any(abs(number - line) <= _AROUND for line in made)]
    return near[:MOST_LINES]
