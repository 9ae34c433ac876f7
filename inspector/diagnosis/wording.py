"""Phrases shared by several rules."""

from __future__ import annotations

import re
from typing import Any

_NUMBERED = re.compile(r"Backward\d*$")


def operation(name: str) -> str:
    """`Sigmoid` for `SigmoidBackward0`: the operation of the forward that a Node belongs to."""
    return _NUMBERED.sub("", name) or name


def at_line(source: Any) -> str:
    """` (line 12)`; nothing where the line is not known."""
    return f" (line {source['line']})" if isinstance(source, dict) and "line" in source else ""


def number(value: float) -> str:
    """A number with three digits: `0.012`, `1.3e+05`."""
    return f"{value:.3g}"
