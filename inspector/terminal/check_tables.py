"""The tables of `--check` and `--gradcheck`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from inspector.derivatives.finite_differences import NotEvaluable
from inspector.derivatives.leaf_check import LeafCheck, check_derivatives
from inspector.derivatives.small_tensor import SmallTensor
from inspector.graph import Graph
from inspector.terminal.labels import place, root_labels, tensor_label, value
from inspector.terminal.text_cells import GRADIENT, QUIET, STRONG, columns, fit_text, wrapped
from inspector.typography.formula_format import format_formula

_HEADINGS = ("leaf", "by rules", "by autograd", "by finite differences", "")
_MOST_ROWS = 20
_SHRINK = ((1, 12), (2, 8), (3, 8), (0, 8))
_DIFFERENCE = "a hook, a custom Function or an in-place write may be the cause"
_AGREE = {True: "agree", False: "differ", None: ""}


def check_lines(graph: Graph, width: int) -> list[Text]:
    """A table of the derivative for each leaf by three methods, or one line with the reason why there is none."""
    title = Text.assemble(("check   ", QUIET), f"derivatives of {root_labels(graph) or 'the root'}")
    try:
        rows = check_derivatives(graph)
    except NotEvaluable as reason:
        return wrapped(Text("check   ", style=QUIET), Text(f"nothing to compare: {reason}", style=QUIET), width)
    known = [row for row in rows if row.autograd is not None]
    cells = [[Text(heading, style=QUIET) for heading in _HEADINGS]]
    cells += [_cells(graph, row) for row in known[:_MOST_ROWS]]
    lines = [title, *columns(cells, width, _SHRINK)] if known else [title]
    return [*lines, *_left_out(graph, rows, width), *_remarks(graph, known[:_MOST_ROWS], width)]


def _cells(graph: Graph, row: LeafCheck) -> list[Text]:
    rules = _array(row.rules)
    if row.symbol is not None and row.rules is not None and any(map(str.isalpha, row.symbol)):
        rules = Text.assemble(f"{format_formula(row.symbol)} = ", rules)
    verdict = Text(_AGREE[row.agrees], style=QUIET if row.agrees else f"{STRONG} {GRADIENT}")
    differences = _array(row.differences)
    name = Text(tensor_label(graph.tensor(row.leaf), 24), style=STRONG)
    return [name, rules, _array(row.autograd), differences, verdict]


def _array(found: SmallTensor | None) -> Text:
    return Text("-", style=QUIET) if found is None else value(found.tolist())


def _left_out(graph: Graph, rows: Sequence[LeafCheck], width: int) -> list[Text]:
    """One line for each reason why leaves are not in the table."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.autograd is None:
            reasons.setdefault(row.remark, []).append(tensor_label(graph.tensor(row.leaf), 24))
    more = len([row for row in rows if row.autograd is not None]) - _MOST_ROWS
    lines = [Text(f"and {more} more leaves", style=QUIET)] if more > 0 else []
    for reason, names in reasons.items():
        first = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
        lines += wrapped(Text("not compared  ", style=QUIET), Text(f"{first}: {reason}", style=QUIET), width)
    return lines


def _remarks(graph: Graph, rows: Sequence[LeafCheck], width: int) -> list[Text]:
    """The remarks on leaves in the table, each once with all its leaves."""
    by_remark: dict[str, list[str]] = {}
    for row in rows:
        if row.remark:
            by_remark.setdefault(row.remark, []).append(tensor_label(graph.tensor(row.leaf), 24))
        if row.agrees is False:
            by_remark.setdefault(_DIFFERENCE, []).append(tensor_label(graph.tensor(row.leaf), 24))
    return [
        line
        for remark, names in by_remark.items()
        for line in wrapped(Text(f"{fit_text(', '.join(names), 40)}  "), Text(remark, style=QUIET), width)
    ]


def gradcheck_lines(results: Sequence[Any], width: int) -> list[Text]:
    """A line for each call of a custom Function that gradcheck checked.

    results: `inspector.recording.gradcheck.FunctionCheck`.
    """
    if not results:
        return [Text.assemble(("gradcheck  ", QUIET), "the script called no custom Function")]
    lines = []
    for result in results:
        style = f"{STRONG} {GRADIENT}" if result.status == "disagrees" else ""
        text = Text.assemble(f"{result.name} ", (f" {place(result.source)}  ", QUIET), (result.status, style))
        if result.reason:
            text.append(f": {fit_text(result.reason, 3 * width)}")
        lines += wrapped(Text("gradcheck  ", style=QUIET), text, width)
    return lines
