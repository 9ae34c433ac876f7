"""Phrases shared by several rules."""

from __future__ import annotations

from typing import Any


def at_line(source: Any) -> str:
    """` (line 12)`, ` (trainer.py:12)` for a line of a library; empty if the line is unknown."""
    if not isinstance(source, dict) or "line" not in source:
        return ""
    library = source.get("library")
    return f" (line {source['line']})" if library is None else f" ({library['file']}:{library['line']})"


def number(value: float) -> str:
    """A number with three digits: `0.012`, `1.3e+05`."""
    return f"{value:.3g}"
