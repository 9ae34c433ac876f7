"""The timeline of a running script, beside its report: what is left of the steps if the process is killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inspector.graph.values import encode
from inspector.report.timeline import Timeline
from inspector.util.atomic_write import write_text_atomically


def kept_path(report: Path) -> Path:
    """`report.timeline.json` beside `report.json`."""
    return report.with_name(f"{report.name.removesuffix('.json')}.timeline.json")


def keep_timeline(timeline: Timeline, report: Path) -> None:
    """Write a timeline beside a report, atomically. Raises OSError."""
    text = json.dumps(encode(timeline), ensure_ascii=False, allow_nan=False)
    write_text_atomically(kept_path(report), f"{text}\n")


def kept_rows(report: Path) -> Any:
    """The rows of the timeline beside a report, unchecked; None if there is none.

    Raises ValueError if it is not JSON.
    """
    try:
        text = kept_path(report).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return json.loads(text)
