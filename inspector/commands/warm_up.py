"""Import what draws a report, and read what it reads of fonts, before there is a report."""

from __future__ import annotations

import string
from importlib import import_module

from inspector.graph.row_types import EDGE_ROWS, NODE_ROWS
from inspector.report.quick_check import is_of
from inspector.report.row_types import ReportRows
from inspector.typography.fonts import FACES
from inspector.typography.glyph_paths import glyph_path
from inspector.typography.metrics import width

_ALL_THAT_DRAWS = ("inspector.commands.redraw_report", "inspector.terminal.progress")


def warm_up() -> None:
    """Import it, read the fonts, and derive the types of what a report holds."""
    for module in _ALL_THAT_DRAWS:
        import_module(module)
    for face in FACES:
        width(string.digits, 10.0, face)
        glyph_path(string.ascii_letters + string.digits, 10.0, face)
    for row in (ReportRows, *NODE_ROWS.values(), *EDGE_ROWS.values()):
        is_of(row, {})
