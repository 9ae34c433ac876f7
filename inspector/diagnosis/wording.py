"""Phrases shared by several rules."""

from __future__ import annotations

from typing import Any


def at_line(source: Any) -> str:
    """` (line 12)`; empty if the line is unknown."""
    return f" (line {source['line']})" if isinstance(source, dict) and "line" in source else ""


def number(value: float) -> str:
    """A number with three digits: `0.012`, `1.3e+05`."""
    return f"{value:.3g}"
