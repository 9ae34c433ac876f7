"""Phrases shared by several rules."""

from __future__ import annotations

from typing import Any

from inspector.report.timeline import Trigger


def at_line(source: Any) -> str:
    """` (line 12)`, ` (trainer.py:12)` for a line of a library; empty if the line is unknown."""
    if not isinstance(source, dict) or "line" not in source:
        return ""
    library = source.get("library")
    return f" (line {source['line']})" if library is None else f" ({library['file']}:{library['line']})"


def began_at(trigger: Trigger) -> str:
    """`; in backward it began at LogBackward0 in encoder (line 12)`; empty if this is not known."""
    place = trigger.get("node")
    if place is None:
        return ""
    module = f"`{place['module']}`" if place["module"] else ""
    name = f"{place['name']} in {module}" if place["name"] and module else place["name"] or module
    return f"; in backward it began at {name}{at_line(place['source'])}"


def number(value: float) -> str:
    """A number with three digits: `0.012`, `1.3e+05`."""
    return f"{value:.3g}"
