"""Print a backward call with its findings on stderr."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from inspector.graph import Graph, is_unknown
from inspector.graph.grad_scale import without_grad_scale
from inspector.report import BackwardCall, Finding, Report
from inspector.report.timeline import Timeline
from inspector.terminal import findings_and_footer
from inspector.terminal.check_tables import check_lines, gradcheck_lines
from inspector.terminal.console import print_lines
from inspector.terminal.derivation_text import derivation_lines
from inspector.terminal.inner_lines import inner_lines
from inspector.terminal.labels import header, place
from inspector.terminal.model_summary import summary_lines
from inspector.terminal.tensor_table import tensor_table
from inspector.terminal.text_cells import QUIET, fit_text, wrapped
from inspector.terminal.timeline_lines import timeline_lines, watched_line
from inspector.terminal.total_derivatives import total_lines
from inspector.typography import format_number

SMALL = 30
"""Maximum number of functions of a graph that is drawn; larger graphs are summarised."""

_WIDEST = 110
_FINDINGS = 5


class Shown(Struct, frozen=True):
    """The parts of a report to print.

    calls: the indexes of the backward calls. files: the paths of written files, as shown to the user. checked:
    whether to compare the derivative of each leaf by rules, by autograd and by finite differences. has_report:
    whether there is a file with the whole report; without one, all findings are printed.
    """

    calls: Sequence[int]
    files: Sequence[str] = ()
    checked: bool = False
    has_report: bool = True


def show(console: Console, report: Report, shown: Shown) -> None:
    """Print backward calls (a derivation and a table for a small graph, one screen for a model), then the findings
    of the whole report."""
    print_lines(console, lines(report, shown, min(console.width, _WIDEST)))


def show_gradcheck(console: Console, results: Sequence[Any]) -> None:
    """Print the results of gradcheck for custom Functions (`inspector.recording.gradcheck.FunctionCheck`)."""
    print_lines(console, [Text(), *gradcheck_lines(results, min(console.width, _WIDEST))])


def show_files(console: Console, files: Sequence[str]) -> None:
    """Print the names of written files."""
    written = findings_and_footer.files_written(files, min(console.width, _WIDEST))
    print_lines(console, [*written, *findings_and_footer.page_line(files)])


def show_timeline(
    console: Console, report: Report, found: Sequence[Finding], gone: Sequence[Finding] = ()
) -> None:
    """Print the steps after the watched calls, the findings that were not printed before, and those that were
    printed and that later steps refute."""
    width = min(console.width, _WIDEST)
    new = replace(report, findings=list(found))
    blocks = [
        [] if report.timeline is None else timeline_lines(report.timeline, width),
        [*findings_and_footer.findings(new, [], _FINDINGS, width), *findings_and_footer.rest(new, _FINDINGS)],
        findings_and_footer.refuted(report, gone, width),
    ]
    print_lines(console, [line for block in blocks if block for line in (Text(), *block)])


def show_watched(console: Console, timeline: Timeline) -> None:
    """Print how much of the run was watched."""
    print_lines(console, watched_line(timeline, min(console.width, _WIDEST)))


def show_hint(console: Console, hint: str) -> None:
    """Print a quiet line."""
    print_lines(console, [Text(f"inspect: {hint}", style=QUIET)])


def lines(report: Report, shown: Shown, width: int) -> list[Text]:
    """The output of `show`, as lines of at most `width` cells."""
    calls = [call for call in report.calls if call.index in shown.calls]
    most = _FINDINGS if shown.has_report else None
    blocks = [block for call in calls for block in _call_blocks(report, call, width, checked=shown.checked)]
    blocks.append(findings_and_footer.findings(report, shown.calls, most, width))
    if most is not None:
        blocks[-1] += findings_and_footer.rest(report, most)
    if calls or report.findings:
        blocks.append(
            [
                *findings_and_footer.files_written(shown.files, width),
                *findings_and_footer.last_lines(report, shown.files, width),
            ]
        )
    filled = [block for block in blocks if block]
    return [line for block in filled for line in (*block, Text())][:-1]


def _call_blocks(report: Report, call: BackwardCall, width: int, *, checked: bool) -> list[list[Text]]:
    graph = without_grad_scale(call.graph, call.setting.scale)
    small = sum(1 for _ in graph.functions()) <= SMALL
    return [
        [header(call.index, call.location), *_caller(call, width), *_step(report, call, width)],
        _scale(graph),
        *_graph_blocks(graph, width, small=small),
        [*inner_lines(graph, width), *_unknown_gradients(graph, width)],
        findings_and_footer.raised(call.graph, width),
        check_lines(call.graph, width) if checked else [],
    ]


def _unknown_gradients(graph: Graph, width: int) -> list[Text]:
    """Why no gradient is known although backward ran, if there is one reason."""
    found = [row["gradient"] for _, row in graph.functions()]
    reasons = {value["unknown"] for value in found if is_unknown(value)}
    if graph.error is not None or len(reasons) != 1 or not all(map(is_unknown, found)):
        return []
    return wrapped(Text("gradients are unknown  "), Text(reasons.pop(), style=QUIET), width)


def _caller(call: BackwardCall, width: int) -> list[Text]:
    """A line on the user's statement that led to a library's, if a library called backward."""
    location = call.location
    if is_unknown(location) or "library" not in location:
        return []
    text = f"called from {place(location)}  {fit_text(location['code'], 40)}"
    return wrapped(Text(), Text(text, style=QUIET), width)


def _step(report: Report, call: BackwardCall, width: int) -> list[Text]:
    """A line on the calls of the same step, if there are any."""
    if call.setting.step_of is not None:
        text = f"part of the step of backward {call.setting.step_of}"
    else:
        within = [other.index for other in report.calls if other.setting.step_of == call.index]
        if not within:
            return []
        text = f"part of this step: {findings_and_footer.call_names(within)} (torch.autograd.grad)"
    return wrapped(Text(), Text(text, style=QUIET), width)


def _scale(graph: Graph) -> list[Text]:
    """A line if a GradScaler's scale is divided out of the gradients."""
    if graph.scale is None:
        return []
    return [
        Text(f"all gradients are divided by the GradScaler's scale, {format_number(graph.scale)}", style=QUIET)
    ]


def _graph_blocks(graph: Graph, width: int, *, small: bool) -> list[list[Text]]:
    if not small:
        return [summary_lines(graph, width)]
    if not any(graph.functions()):
        without = [findings_and_footer.without_functions(graph, width)]
        return [*without, tensor_table(graph, width)] if any(graph.tensors()) else without
    derivation = derivation_lines(graph, width)
    return [derivation, total_lines(graph, width, derivation), tensor_table(graph, width)]
