"""Write `index.html`: the calls of a run with their pages and pictures, and its findings. It holds no script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from urllib.parse import quote

from inspector.graph.values import is_unknown
from inspector.page.html import digest, theme_style
from inspector.report import Report
from inspector.report.model import BackwardCall
from inspector.report.row_types import Finding
from inspector.typography import format_number, pluralize
from inspector.typography.sanitize import sanitize

_STYLE = """
body { margin: 0; background: var(--canvas); color: var(--ink); font: 15px/1.5 Inter, system-ui, sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.4rem; font-weight: 500; margin: .5rem 0 .2rem; }
h2 { font-size: 1.05rem; margin: 0 0 .4rem; font-weight: 500; overflow-wrap: anywhere; }
p { margin: .2rem 0; overflow-wrap: anywhere; }
code { font: 500 .9em "Fira Code", ui-monospace, monospace; }
a { color: var(--value); }
.quiet { color: var(--quiet); }
section { background: var(--ground); border: 1px solid var(--edge); border-radius: 10px; padding: 1rem 1.3rem; }
section { margin: 1rem 0; overflow: hidden; }
.error { color: var(--error); }
.finding { border-left: 3px solid var(--gradient); padding-left: .8rem; margin: .8rem 0; }
.finding.error { border-color: var(--error); color: inherit; }
.finding.note { border-color: var(--line); }
.picture { display: block; max-height: 20rem; overflow: hidden; margin-top: .8rem; }
.picture { border-top: 1px solid var(--edge); padding-top: .8rem; }
img { max-width: 100%; height: auto; display: block; background: #fff; border-radius: 6px; }
"""
_POLICY = (
    "default-src 'none'; style-src 'sha256-{style}'; img-src 'self' file:; base-uri 'none'; form-action 'none'"
)


def write_index(report: Report, pages: Sequence[str], pictures: Sequence[str]) -> bytes:
    """The index of a run.

    pages, pictures: the names of the files beside it, `backward-1.html` and `backward-1.svg`; a call without a
    page has no link.
    """
    style = theme_style() + _STYLE
    title = escape(sanitize(report.script.name))
    pieces = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY.format(style=digest(style))}">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
        f'<p class="quiet">{pluralize(len(report.calls), "recorded backward call")}; {_exit(report)}</p>\n',
        *(piece for call in report.calls for piece in _call(call, report, pages, pictures)),
        *_run(report, pictures),
        *_others(report),
        "</main>\n</body>\n</html>\n",
    )
    return "".join(pieces).encode()


def _exit(report: Report) -> str:
    if report.script.exit["exception"]:
        return f'<span class="error">{escape(sanitize(report.script.exit["exception"]))}</span>'
    status = report.script.exit["status"]
    return "the script was still running" if status is None else f"exit status {status}"


def _call(call: BackwardCall, report: Report, pages: Sequence[str], pictures: Sequence[str]) -> Iterator[str]:
    page, picture = f"backward-{call.index}.html", f"backward-{call.index}.svg"
    code = "backward" if is_unknown(call.location) else sanitize(call.location["code"])
    title = f"call {call.index}: <code>{escape(code)}</code>"
    link = f'<a href="{quote(page)}">{title}</a>' if page in pages else title
    yield f"<section>\n<h2>{link}</h2>\n<p class=\"quiet\">{_facts(call)}</p>\n"
    if call.graph.error:
        yield f'<p class="error">backward raised {escape(sanitize(call.graph.error))}</p>\n'
    yield from (_finding(row) for row in report.findings if row.backward_call == call.index)
    if page in pages and picture in pictures:
        alt = f"The graph of call {call.index}"
        yield f'<a class="picture" href="{quote(page)}"><img src="{quote(picture)}" alt="{alt}"></a>\n'
    yield "</section>\n"


def _facts(call: BackwardCall) -> str:
    folds = sum(row["nodes"] for _, row in call.graph.folds())
    nodes = folds + sum(1 for _ in call.graph.functions())
    place = "" if is_unknown(call.location) else f"{sanitize(call.location['file'])}:{call.location['line']}, "
    root = next((call.graph.tensor(root) for root in call.graph.roots if root in call.graph.rows), None)
    value = root["before"]["data"] if root is not None else None
    shown = f", {root['name'] or 'root'} = {format_number(value)}" if root and isinstance(value, float) else ""
    return escape(f"{place}{pluralize(nodes, 'Node')}{sanitize(shown)}")


def _others(report: Report) -> Iterator[str]:
    """The findings of the run that belong to no call."""
    indexes = {call.index for call in report.calls}
    rows = [row for row in report.findings if row.backward_call not in indexes]
    if rows:
        yield "<section>\n<h2>Findings of the run</h2>\n"
        yield from map(_finding, rows)
        yield "</section>\n"


def _run(report: Report, pictures: Sequence[str]) -> Iterator[str]:
    """The picture of the timeline, if there is one."""
    if report.timeline is not None and "timeline.svg" in pictures:
        yield f"<section>\n<h2>{pluralize(report.timeline['steps'], 'step')} of the run</h2>\n"
        yield '<img src="timeline.svg" alt="The loss and the gradient norms of the run">\n</section>\n'


def _finding(row: Finding) -> str:
    place = row.location
    at = ""
    if place is not None and not is_unknown(place):
        line = escape(sanitize(f"{place['file']}:{place['line']}  {place['code']}"))
        at = f'<p class="quiet"><code>{line}</code></p>\n'
    return (
        f'<div class="finding {row.severity}">\n<p class="quiet">{row.severity} {escape(row.rule)}</p>\n'
        f"<p>{escape(sanitize(row.message))}</p>\n{at}<p>Fix: {escape(sanitize(row.advice))}</p>\n</div>\n"
    )
