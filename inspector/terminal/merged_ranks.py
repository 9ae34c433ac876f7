"""Print a merged report of several ranks on stderr."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from inspector.merging.bucket_text import bucket_texts
from inspector.merging.row_types import MergedCall, MergedRows, Range
from inspector.merging.rules.rule import rank_list, some
from inspector.report import Report
from inspector.terminal import findings_and_footer
from inspector.terminal.console import print_lines
from inspector.terminal.labels import place
from inspector.terminal.text_cells import QUIET, STRONG, fit_text, wrapped
from inspector.typography import format_number, pluralize

_WIDEST = 110
_FINDINGS = 5
_CALLS = 5


def show_merged(console: Console, rows: MergedRows, report: Report | None) -> None:
    """Print which ranks were merged, the losses of each call, and the findings. report: with the findings."""
    width = min(console.width, _WIDEST)
    numbers = [row["number"] for row in rows["ranks"]]
    head = f"{rank_list(numbers)} of {rows['world']}  {rows['script']}"
    lines = [Text(head, style=STRONG)]
    for text, ranks in _ends(rows).items():
        lines += wrapped(Text("  "), Text(fit_text(f"{rank_list(ranks)} ended with {text}", 2 * width)), width)
    for remark in rows["remarks"]:
        lines += wrapped(Text("  "), Text(remark), width)
    for call in rows["backward_calls"][:_CALLS]:
        lines += wrapped(Text("  "), Text(_call(call)), width)
    for text in next((texts for call in reversed(rows["backward_calls"]) if (texts := bucket_texts(call))), []):
        lines += wrapped(Text("  "), Text(text), width)
    lines.append(Text(""))
    if report is not None:
        drawn = [call.index for call in report.calls]
        lines += findings_and_footer.findings(report, drawn, _FINDINGS, width)
        lines += findings_and_footer.rest(report, _FINDINGS)
    if not rows["findings"]:
        compared = f"{pluralize(rows['compared'], 'parameter')} compared" if rows["compared"] else (
            "no parameter was compared, since none is known to be the same on all ranks"
        )  # fmt: skip
        lines += wrapped(Text(), Text(f"nothing found; {compared}", style=QUIET), width)
    print_lines(console, lines)


def _ends(rows: MergedRows) -> dict[str, list[int]]:
    """The ranks that failed, by how they ended."""
    found: dict[str, list[int]] = {}
    for row in rows["ranks"]:
        if row["status"] not in (0, None):
            found.setdefault(row["exception"] or f"exit status {row['status']}", []).append(row["number"])
    return found


def _call(call: MergedCall) -> str:
    """`backward 1  train.py:29  root 0.0486…0.0898  different graphs: rank 0: 12 Nodes, rank 1: 16 Nodes`."""
    location = call["location"]
    parts = [f"backward {call['index']}"]
    if "unknown" not in location:
        parts.append(place(location))
    if (root := _range(call["root"])) is not None:
        parts.append(f"root {root}")
    if len(call["graphs"]) > 1:
        groups = [f"{rank_list(group['ranks'])}: {pluralize(group['nodes'], 'Node')}" for group in call["graphs"]]
        parts.append(f"different graphs: {some(groups)}")
    return "  ".join(parts)


def _range(row: Range) -> str | None:
    """`0.0486…0.0898 (ranks 0, 1)`; None if no rank knows it."""
    wrong = f"NaN or infinite on {rank_list(row['not_finite'])}" if "not_finite" in row else None
    if row["low"] is None or row["high"] is None:
        return wrong
    low, high = format_number(row["low"]), format_number(row["high"])
    text = low if low == high else f"{low} (rank {row['lowest']}) … {high} (rank {row['highest']})"
    return text if wrong is None else f"{text}, {wrong}"
