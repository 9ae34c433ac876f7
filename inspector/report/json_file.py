"""Read and write report.json, and report.full.json.gz for graphs too large for it."""

from __future__ import annotations

import gzip
import json
import stat
import zlib
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from inspector.report.check import check
from inspector.report.checking import Mismatch
from inspector.report.json_rows import from_rows, to_rows
from inspector.report.kept_timeline import kept_path, kept_rows
from inspector.report.model import BackwardCall, Report
from inspector.report.row_types import SCHEMA
from inspector.util.atomic_write import write_bytes_atomically, write_text_atomically
from inspector.util.gc_pause import gc_paused
from inspector.util.os_errors import reason

LARGE = 50_000
"""Number of functions above which report.json contains the folded graph, and report.full.json.gz the whole one in
columns."""
FULL = ".full.json.gz"

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)

_ROWS: dict[str, Any] = {}
_ONE_PER_LINE: dict[str, Any] = {
    "backward_calls": {"graph": {"nodes": _ROWS, "edges": _ROWS}, "cuts": _ROWS, "writes": _ROWS},
    "parameters": _ROWS,
    "modules": _ROWS,
    "optimizers": _ROWS,
    "events": _ROWS,
    "timeline": {"columns": _ROWS, "windows": _ROWS, "triggers": _ROWS},
    "findings": _ROWS,
    "checked": _ROWS,
}
"""Containers written with one item per line (a node, an edge, a finding), so that diffs are readable."""


class ReportError(Exception):
    """A file cannot be read as a report. The message is one line: what is wrong, where, and what to do.

    `run.json is a damaged report: backward_calls[0].graph.edges[1].slot: expected int, got str; run inspect …`
    """


def to_json(report: Report) -> str:
    """The text of report.json: one row per line, the same for the same report.

    Raises TypeError for a value that is not plain and ValueError for a NaN outside of tensor values.
    """
    return _text(to_rows(report), _ONE_PER_LINE, "") + "\n"


def save(report: Report, path: str | Path) -> None:
    """Write report.json, and report.full.json.gz beside it if a graph has more than `LARGE` functions.

    The files are written atomically. Raises OSError.
    """
    path = Path(path)
    if any(map(is_large, report.calls)):
        whole = full_report_path(path)
        rows = to_rows(report, columns=True)
        text = json.dumps(rows, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # No time and no name in the header, so that the same program gives the same bytes.
        write_bytes_atomically(whole, gzip.compress(text.encode("utf-8", errors="backslashreplace"), mtime=0))
        report = replace(report, calls=[_folded(call, whole.name) for call in report.calls])
    write_text_atomically(path, to_json(report))


def full_report_path(path: Path) -> Path:
    """`report.full.json.gz` beside `report.json`."""
    return path.with_name(path.name.removesuffix(".json") + FULL)


def is_large(call: BackwardCall) -> bool:
    """Whether report.json holds the graph of a call folded."""
    return sum(1 for _ in call.graph.functions()) > LARGE


def _folded(call: BackwardCall, whole: str) -> BackwardCall:
    """The call with its graph folded, if it is large."""
    if not is_large(call):
        return call
    from inspector.folding import fold  # for large graphs only

    graph = fold(call.graph)
    # Replaces the hint on unfolding, which a saved report cannot do.
    graph.note = f"{graph.note.rpartition('; ')[0]}; {whole} has all of them"
    return replace(call, graph=graph, whole=whole)


def load(path: str | Path) -> Report:
    """Read the report in a file written by `save`, report.json or report.full.json.gz.

    Raises ReportError with the reason.
    """
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):  # opening a FIFO blocks until there is a writer
            raise ReportError(f"cannot read {path}: it is {_kind_of(Path(path))}, not a file")
        content = Path(path).read_bytes()
        content = gzip.decompress(content) if str(path).endswith(".gz") else content
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ReportError(f"{path} is not a gzip file ({error}); expected a report written by inspect") from error
    except OSError as error:
        raise ReportError(f"cannot read {path}: {reason(error)}") from error
    with gc_paused():
        return _checked(_with_kept_timeline(_parsed(content, str(path)), Path(path)), str(path))


def from_json(text: str | bytes, origin: str = "the text") -> Report:
    """Parse the output of `to_json`. Raises ReportError. origin: the name of the text in its message."""
    with gc_paused():
        return _checked(_parsed(text, origin), origin)


def _with_kept_timeline(rows: Any, path: Path) -> Any:
    """The rows of a report, with the timeline beside it if its script was killed. Raises ReportError."""
    try:
        kept = kept_rows(path) if isinstance(rows, dict) else None
    except ValueError as error:
        raise ReportError(f"{kept_path(path)} is not JSON ({error}); remove it to read the report") from error
    return rows if kept is None else rows | {"timeline": kept}


def _kind_of(path: Path) -> str:
    kinds = {"a folder": path.is_dir, "a FIFO": path.is_fifo, "a socket": path.is_socket}
    return next((name for name, holds in kinds.items() if holds()), "a device")


def _parsed(text: str | bytes, origin: str) -> Any:
    """The value of a JSON text."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass  # msgspec refuses lone surrogates, and json has the better error messages
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        return json.loads(decoded, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise ReportError(f"{origin} is not JSON (not UTF-8); expected a report written by inspect") from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{origin} is not JSON ({error}); expected a report written by inspect") from error


def _checked(rows: Any, origin: str) -> Report:
    if not isinstance(rows, dict) or type(version := rows.get("schema")) is not int:
        raise ReportError(f"{origin} is not a report; expected a report.json written by inspect")
    if version > SCHEMA:
        raise ReportError(
            f"{origin} was written by a newer version (schema {version}; this version reads up to {SCHEMA}):"
            " pip install --upgrade autograd-inspector"
        )
    try:
        check(rows)
        return from_rows(rows)
    except (Mismatch, RecursionError) as error:
        raise ReportError(f"{origin} is a damaged report: {error}; run inspect on the script again") from error


def _text(value: Any, opened: dict[str, Any] | None, indent: str) -> str:
    """`value` as JSON. opened: its keys that have one item per line; None for none."""
    if opened is None or not value:
        return _ENCODER.encode(value)
    inner = indent + " "
    if isinstance(value, list):
        items = [_text(item, opened or None, inner) for item in value]
        opening, closing = "[]"
    else:
        items = [f"{json.dumps(key)}: {_text(item, opened.get(key), inner)}" for key, item in value.items()]
        opening, closing = "{}"
    body = f",\n{inner}".join(items)
    return f"{opening}\n{inner}{body}\n{indent}{closing}"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
