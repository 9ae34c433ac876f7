"""What the command prints on stderr about a backward call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from inspector.graph import Graph
from inspector.graph.unscaled import unscaled
from inspector.report import BackwardCall, Report
from inspector.terminal import closing
from inspector.terminal.cells import QUIET
from inspector.terminal.check import check_lines, gradcheck_lines
from inspector.terminal.derivation import derivation
from inspector.terminal.labels import header
from inspector.terminal.screen import print_lines, stderr_console
from inspector.terminal.summary import summary
from inspector.terminal.table import tensor_table
from inspector.terminal.totals import total_lines
from inspector.text import number

__all__ = ["lines", "show", "show_check", "show_files", "show_gradcheck", "show_hint", "stderr_console"]

SMALL = 30
"""Graphs of up to this many functions are drawn; larger ones are summed up."""

_WIDEST = 110
_FINDINGS = 5


def show(console: Console, report: Report, call: BackwardCall, files: Sequence[str] = ()) -> None:
    """Print one backward call: a derivation and a table of a small graph, one screen of a model.

    call: one of `report.calls`. files: the paths that were written, as the user should read them.
    """
    print_lines(console, lines(report, call, files, min(console.width, _WIDEST)))


def show_check(console: Console, graph: Graph) -> None:
    """Print the derivative by each leaf: by rules, by autograd and by finite differences."""
    print_lines(console, [Text(), *check_lines(graph, min(console.width, _WIDEST))])


def show_gradcheck(console: Console, results: Sequence[Any]) -> None:
    """Print what gradcheck said of custom Functions (`inspector.recorder.gradcheck.FunctionChecked`)."""
    print_lines(console, [Text(), *gradcheck_lines(results, min(console.width, _WIDEST))])


def show_files(console: Console, files: Sequence[str]) -> None:
    """Print which files were written."""
    print_lines(console, closing.written(files, min(console.width, _WIDEST)))


def show_hint(console: Console, hint: str) -> None:
    """Print a quiet line."""
    print_lines(console, [Text(f"inspect: {hint}", style=QUIET)])


def lines(report: Report, call: BackwardCall, files: Sequence[str], width: int) -> list[Text]:
    """What `show` prints, as lines of at most `width` cells."""
    graph = unscaled(call.graph, call.setting.scale)
    small = sum(1 for _ in graph.functions()) <= SMALL
    blocks = [
        [header(call.index, call.location)],
        _scale(graph),
        *_graph_blocks(graph, width, small=small),
        closing.raised(call.graph, width),
        closing.findings(report, call.index, _FINDINGS, width),
        [*closing.written(files, width), *closing.last_lines(report, files, width)],
    ]
    filled = [block for block in blocks if block]
    return [line for block in filled for line in (*block, Text())][:-1]


def _scale(graph: Graph) -> list[Text]:
    """That a GradScaler's scale is divided out of what follows."""
    if graph.scale is None:
        return []
    return [Text(f"the GradScaler's scale {number(graph.scale)} is divided out of all gradients", style=QUIET)]


def _graph_blocks(graph: Graph, width: int, *, small: bool) -> list[list[Text]]:
    if not small:
        return [summary(graph, width)]
    if not any(graph.functions()):
        without = [closing.without_functions(graph, width)]
        return [*without, tensor_table(graph, width)] if any(graph.tensors()) else without
    return [derivation(graph, width), total_lines(graph, width), tensor_table(graph, width)]
