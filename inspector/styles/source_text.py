"""Source text of the script as a formula that fits a gate or a chip. No torch needed."""

from __future__ import annotations

import re

from inspector.typography.formula_format import format_formula

_PACKAGE = re.compile(r"(?<![\w.])(?:torch|nn|functional|F|self)\.(?:(?:nn|functional|special|linalg)\.)*")


def short_formula(code: str, longest: int) -> str:
    """Code as a formula without spaces and the names of packages; empty if it is longer."""
    text = format_formula(_PACKAGE.sub("", code.replace(" ** ", "**"))).replace(" ", "")
    return text if len(text) <= longest else ""
