"""The output around a call: findings, the error of backward, the checks, the files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from inspector.graph import Graph, is_unknown
from inspector.graph.row_types import LibraryLine, Source
from inspector.report import Finding, Report
from inspector.report.row_types import Fault
from inspector.report.timeline import NOT_RECORDED
from inspector.terminal.labels import function_title, place, root_labels, tensor_label
from inspector.terminal.text_cells import GRADIENT, QUIET, STRONG, fit_path, fit_text, wrapped
from inspector.typography import sanitize

if TYPE_CHECKING:
    from inspector.merging.row_types import Ranks

_SEVERITIES = ("error", "warning", "note")
_TEXTS = ("rule", "severity", "message", "advice", "location", "parameters")
"""The printed fields of a finding."""
_AFFECTED = 4
_REASONS = 3
_LINES = 4
"""So long may a message or its advice be: what goes beyond holds names or numbers of any length."""


def without_functions(graph: Graph, width: int) -> list[Text]:
    """The message for a graph without Nodes."""
    label = root_labels(graph)
    if not label:
        return wrapped(Text(), Text("nothing to show: backward was called without a tensor"), width)
    text = f"{label} has no grad_fn: no operation recorded by autograd created it, so there is no graph"
    return wrapped(Text(), Text(text), width)


def raised(graph: Graph, width: int) -> list[Text]:
    """The error of backward, and the last Node that the engine had reached."""
    if graph.error is None:
        return []
    lines = wrapped(
        Text("backward raised  ", style=STRONG), Text(fit_text(graph.error, 3 * width), style=STRONG), width
    )
    if graph.steps:
        lines += wrapped(Text(" " * 17), Text(_reached(graph), style=QUIET), width)
    return lines


def _reached(graph: Graph) -> str:
    """`the engine had reached 3 MulBackward (u*v), uv.py:4`."""
    last = graph.steps[-1]
    made = [tensor for _, tensor in graph.tensors() if tensor["grad_fn"] == last]
    text = f"the engine had reached {len(graph.steps)} {function_title(graph.function(last)['name'])}"
    text += f" ({tensor_label(made[0])})" if made else ""
    source = graph.function(last)["source"]
    return text if source is None or is_unknown(source) else f"{text}, {place(source)}"


def findings(report: Report, drawn: Sequence[int], most: int | None, width: int) -> list[Text]:
    """The first `most` findings of the whole report, worst first, each once.

    drawn: the indexes of the calls that were shown. Findings of other calls name their call, and all findings do
    if several calls were shown.
    """
    found = sorted(_merged(report.findings), key=lambda row: _SEVERITIES.index(row[0].severity))
    lines: list[Text] = []
    for finding, calls in found[:most]:
        lines += _finding(finding, width)
        if calls and (len(drawn) > 1 or not set(calls) & set(drawn)):
            lines += wrapped(Text("  in      ", style=QUIET), Text(call_names(calls)), width)
    return lines


def rest(report: Report, most: int) -> list[Text]:
    """The number of findings after the first `most`, by severity."""
    found = sorted(_SEVERITIES.index(finding.severity) for finding, _ in _merged(report.findings))[most:]
    if not found:
        return []
    counts = [(_SEVERITIES[severity], found.count(severity)) for severity in dict.fromkeys(found)]
    by_severity = ", ".join(f"{count} {severity}{'s' * (count != 1)}" for severity, count in counts)
    return [Text(f"and {len(found)} more in the report: {by_severity}", style=QUIET)]


def refuted(report: Report, gone: Sequence[Finding], width: int) -> list[Text]:
    """`withdrawn`: the findings on the first steps that do not hold for the run, and since when."""
    first = {} if report.timeline is None else report.timeline.get("first_gradients", {})
    replaced = {(finding.rule, repr(finding.location)) for finding in report.findings}
    lines: list[Text] = []
    for finding, _ in _merged([row for row in gone if (row.rule, repr(row.location)) not in replaced]):
        steps = [first[name] for name in finding.parameters if name in first]
        since = f"; step {min(steps):,} is the first that uses their gradients" if steps else ""
        title = Text("withdrawn ", style=QUIET)
        lines += wrapped(title, Text(fit_text(f"{finding.message}{since}", _LINES * width)), width)
    return lines


def _merged(found: Sequence[Finding]) -> list[tuple[Finding, list[int]]]:
    """Findings that differ only in the call are merged, with a list of their calls."""
    merged: dict[tuple[str, int], tuple[Finding, list[int]]] = {}
    counts: Counter[tuple[str, int | None]] = Counter()
    for finding in found:
        text = repr([getattr(finding, key) for key in _TEXTS])
        call = finding.backward_call
        counts[text, call] += 1
        calls = merged.setdefault((text, counts[text, call]), (finding, []))[1]
        calls += [] if call is None else [call]
    return list(merged.values())


def call_names(calls: Sequence[int]) -> str:
    """`backward calls 1, 2 and 5`. calls: at least one index."""
    *first, last = map(str, sorted(calls))
    return f"backward calls {', '.join(first)} and {last}" if first else f"backward call {last}"


def _finding(finding: Finding, width: int) -> list[Text]:
    style = QUIET if finding.severity == "note" else f"{STRONG} {GRADIENT}"
    title = Text(f"{finding.severity:10}", style=style)
    lines = wrapped(title, Text(fit_text(finding.message, _LINES * width)), width)
    location = finding.location
    if location is not None and not is_unknown(location):
        library = location.get("library")
        lines += _code(location, width) if library is None else _code(library, width)
        if library is not None:
            lines += _code(location, width, "from")
    if (ranks := getattr(finding, "ranks", None)) is not None:
        lines += _on_ranks(finding, ranks, width)
    if finding.parameters:
        lines += wrapped(Text("  affects ", style=QUIET), Text(_few(finding.parameters, _AFFECTED)), width)
    return lines + wrapped(Text("  fix     ", style=QUIET), Text(fit_text(finding.advice, _LINES * width)), width)


def _on_ranks(finding: Finding, ranks: Ranks, width: int) -> list[Text]:
    """The ranks of a finding, unless its message names them."""
    from inspector.merging.rules import RANK_RULES  # not needed for the report of one process
    from inspector.merging.rules.rule import rank_list

    if finding.rule in RANK_RULES:
        return []
    return wrapped(Text("  on      ", style=QUIET), Text(rank_list(ranks)), width)


def _code(location: Source | Fault | LibraryLine, width: int, word: str = "at") -> list[Text]:
    """The source line, with carets below the relevant part; a long one is on a separate line."""
    head = f"  {word:8}{place(location)}  "
    code = " ".join(sanitize(location["code"]).split())
    part = str(location.get("part") or "")
    lines = []
    if cell_len(head) + cell_len(code) > width:
        lines, head = [Text(head.rstrip(), style=QUIET)], " " * 10
    lines.append(Text.assemble((head, QUIET), fit_text(code, width - cell_len(head))))
    start = code.find(part) if part else -1
    if part and start >= 0 and part != code and cell_len(head) + cell_len(code) <= width:
        before = cell_len(head) + cell_len(code[:start])
        lines.append(Text(" " * before + "^" * cell_len(part), style=f"{STRONG} {GRADIENT}"))
    return lines


def files_written(files: Sequence[str], width: int) -> list[Text]:
    """`wrote inspect-out/ report.json backward-1.svg`: the files by folder, with their given paths."""
    folders: dict[str, list[str]] = defaultdict(list)
    for file in files:
        folders[str(PurePath(file).parent)].append(PurePath(file).name)
    lines: list[Text] = []
    for folder, names in folders.items():
        where = "" if folder == "." else f"{fit_text(folder, width // 2)}/ "
        lines += wrapped(Text("wrote   ", style=QUIET), Text(" ".join([where + names[0], *names[1:]])), width)
    return lines


def last_lines(report: Report, files: Sequence[str], width: int) -> list[Text]:
    """The rules without findings, the rules that were not checked and why, and the path of the page."""
    fine = sum(1 for check in report.checked if check.status == "nothing found")
    unseen: dict[str, list[str]] = defaultdict(list)
    for check in report.checked:
        if check.status == "not checked" and check.reason != NOT_RECORDED:  # said in the last line, if it matters
            unseen[check.reason or "no reason given"].append(check.rule)
    so_far = " so far" if report.script.exit["status"] is None and report.timeline is None else ""
    parts = [f"{fine} rule{'s' * (fine != 1)} without findings{so_far}"] if fine else []
    explained = [f"{_few(rules)} ({fit_text(reason, width)})" for reason, rules in unseen.items()]
    if len(explained) > _REASONS:
        rest = sum(len(rules) for rules in [*unseen.values()][_REASONS:])
        explained[_REASONS:] = [f"{rest} more (other reasons)"]
    if explained:
        parts.append(f"not checked: {', '.join(explained)}")
    if not report.checked:
        parts.append("nothing was checked")
    return wrapped(Text("checks  ", style=QUIET), Text("; ".join(parts), style=QUIET), width) + page_line(files)


def page_line(files: Sequence[str]) -> list[Text]:
    """The path of the page, if one was written."""
    return [Text.assemble(("page    ", QUIET), page) for page in files if page.endswith(".html")][:1]


def _few(names: Sequence[str], most: int = 2) -> str:
    """`a, b and 4 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(fit_path(name, 48) for name in names[:most]) + more
