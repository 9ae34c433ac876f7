"""report.torchviz.json: torchviz's pictures of the roots, as DOT text, beside report.json.

They are taken while the script runs, before backward frees the graph, and only on request. With this file a saved
report can be drawn again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from inspector.util.atomic_write import write_text_atomically
from inspector.util.os_errors import reason

ORIGINALS = ".torchviz.json"


class Original(Struct, frozen=True):
    """torchviz's picture of the roots of one backward call.

    source: DOT text, or None. reason: why there is none.
    """

    source: str | None = None
    reason: str | None = None


NOT_TAKEN = Original(reason="the saved report has none; run inspect -f torchviz on the script")


def originals_path(report: Path) -> Path:
    """`report.torchviz.json` beside `report.json` (or `report.full.json.gz`)."""
    name = report.name.removesuffix(".gz").removesuffix(".json").removesuffix(".full")
    return report.with_name(name + ORIGINALS)


def save_originals(originals: Mapping[int, Original], report: Path) -> Path:
    """Write the file beside a report; return its path. originals: by backward call. Raises OSError."""
    path = originals_path(report)
    rows = {str(index): {"source": found.source, "reason": found.reason} for index, found in originals.items()}
    write_text_atomically(path, json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
    return path


def load_originals(report: Path) -> dict[int, Original]:
    """Read the file written by `save_originals`. If it cannot be read, the reason is stored under call 0."""
    path = originals_path(report)
    try:
        rows = json.loads(path.read_text("utf-8"))
        return {int(index): Original(**row) for index, row in rows.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        return {0: Original(reason=f"cannot read {path.name}: {reason(error)}")}
    except (ValueError, TypeError, AttributeError):
        return {0: Original(reason=f"{path.name} is damaged; run inspect -f torchviz on the script again")}


def original_of(originals: Mapping[int, Original], index: int) -> Original:
    """The picture of a call, or the reason why there is none."""
    return originals.get(index) or originals.get(0) or NOT_TAKEN
