"""Import what draws a report, and read what it reads of fonts, before there is a report."""

from __future__ import annotations

import string
from importlib import import_module

from inspector.graph.json_rows import decoded_edge, decoded_node
from inspector.graph.row_types import EDGE_ROWS, NODE_ROWS
from inspector.report.quick_check import is_of
from inspector.report.row_types import ReportRows
from inspector.styles import STYLES
from inspector.styles.plan import MAIN_SIZE, SMALL_SIZE, TITLE_SIZE
from inspector.typography.fonts import FACES
from inspector.typography.glyph_paths import glyph_path
from inspector.typography.metrics import width

_NEEDED = (
    "inspector.derivatives.symbol_table",  # asked for first
    "inspector.cli",
    "inspector.commands.redraw_report",
    "inspector.terminal.progress",
    "inspector.layout.circuit",
    "inspector.layout.subprocess_layout",
    "inspector.styles.captions",
    "inspector.styles.code_lines",
    "fontTools.ttLib.tables.O_S_2f_2",
    "numpy.ma",  # the tables of the page
)


def warm_up() -> None:
    """Import it, read the fonts, and derive the types of what a report holds."""
    for module in _NEEDED:
        import_module(module)
    for style in STYLES.values():
        _ = style.plan, style.denser  # imports them
    for face in FACES:
        for size in (SMALL_SIZE, MAIN_SIZE, TITLE_SIZE):
            width(string.digits, size, face)
            glyph_path(string.ascii_letters + string.digits, size, face)
    for row in (ReportRows, *NODE_ROWS.values(), *EDGE_ROWS.values()):
        is_of(row, {})
    decoded_node({"name": ""})
    decoded_edge({"kind": ""})
