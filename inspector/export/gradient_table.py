"""The table of gradients as HTML, from the description of a Scene (one line per tensor)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from inspector.typography.sanitize import sanitize

_ROW = re.compile(r"(?P<name>.*?): data (?P<data>.*); grad (?P<before>.*?)(?: → (?P<after>.*))?")
_COLUMNS = ("tensor", "data", "grad before", "grad after")
_COLUMNS_BEFORE = ("tensor", "data", "grad")
"""Of a graph before backward."""


def table(description: str) -> str:
    """An HTML table of a Scene's description, and a paragraph for every line that is not a row; "" if there are
    none."""
    _, *lines = map(sanitize, description.splitlines() or [""])
    found = [(line, _ROW.fullmatch(line)) for line in lines]
    rows = "".join(_row(*match.groups()) for _, match in found if match)
    remarks = "".join(f"<p>{escape(line)}</p>\n" for line, match in found if not match)
    if not rows:
        return remarks
    ran = any(match["after"] is not None for _, match in found if match)
    head = "".join(f'<th scope="col">{column}</th>' for column in (_COLUMNS if ran else _COLUMNS_BEFORE))
    return (
        '<div class="table"><table>\n<caption>Gradients</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n{remarks}"
    )


def _row(name: str, *values: str | None) -> str:
    return f'<tr><th scope="row">{escape(name)}</th>{"".join(_cells(values))}</tr>\n'


def _cells(values: tuple[str | None, ...]) -> Iterator[str]:
    for value in values:
        if value is not None:
            yield f"<td>{escape(value)}</td>"
