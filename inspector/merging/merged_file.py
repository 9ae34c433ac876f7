"""The text of merged.json, and its schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from msgspec import structs

from inspector.graph.values import encode
from inspector.merging.row_types import MERGED_SCHEMA, MergedRows

__all__ = ["MERGED_SCHEMA", "schema", "to_json"]

_BY_ITEM = ("ranks", "backward_calls", "findings")
"""The lists that are written with one item per line."""


def to_json(rows: MergedRows) -> str:
    """The text of merged.json: the same for the same reports."""
    plain: dict[str, Any] = {**rows, "findings": [structs.asdict(finding) for finding in rows["findings"]]}
    lines = []
    for key, value in encode(plain).items():
        if key in _BY_ITEM and value:
            items = ",\n  ".join(json.dumps(item, ensure_ascii=False, allow_nan=False) for item in value)
            lines.append(f" {json.dumps(key)}: [\n  {items}\n ]")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of merged.json."""
    parsed: dict[str, Any] = json.loads(Path(__file__).with_name("merged_schema.json").read_text("utf-8"))
    return parsed
