"""Source text of the script as a formula that fits a gate or a chip. No torch needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from inspector.styles.shown_name import shown_name
from inspector.styles.value_text import sides_text
from inspector.typography import one_line
from inspector.typography.formula_format import format_source

_LONGEST_FACTOR = 16
"""Maximum characters of the source text of a constant without a name."""

_PACKAGE = re.compile(r"(?<![\w.])(?:torch|nn|functional|F|self)\.(?:(?:nn|functional|special|linalg)\.)*(?!pi\b)")
_SPACE = re.compile(r"(?<!\w) | (?!\w)")


def short_formula(code: str, longest: int) -> str:
    """Code as a formula without the names of packages and without spaces, which count; empty if it is longer.
    Those between words stay: `a if c else b`."""
    text = format_source(without_packages(code.replace(" ** ", "**")))
    return _SPACE.sub("", text) if 0 < len(text) <= longest else ""


def without_packages(code: str) -> str:
    """`loss = cross_entropy(z, y)` for `loss = nn.functional.cross_entropy(z, y)`."""
    return _PACKAGE.sub("", code)


def with_empty_brackets(code: str, fits: Callable[[str], bool]) -> str:
    """Code that fits, with brackets emptied if need be: `loss = torch.sigmoid(…).sum()`; empty if it still does
    not fit, or says nothing any more."""
    while not fits(code):
        inside = sorted((end - start, start, end) for start, end in _brackets(code) if end - start > 1)
        shorter = [f"{code[:start]}…{code[end:]}" for _, start, end in inside]
        if not shorter:
            return ""
        code = next(filter(fits, shorter), shorter[-1])
    return code if any(map(str.isalpha, code.rpartition(" = ")[2])) else ""


def _brackets(code: str) -> Iterator[tuple[int, int]]:
    """Where the content of each pair of brackets begins and ends."""
    opened = []
    for place, letter in enumerate(code):
        if letter in "([":
            opened.append(place + 1)
        elif letter in ")]" and opened:
            yield opened.pop(), place


def constant_name(constant: dict[str, Any]) -> str:
    """What a constant is called where its value has no place: its name, its source text if that is short, or its
    shape; empty for a number without a name."""
    source = short_formula(one_line(constant.get("expression") or ""), _LONGEST_FACTOR)
    sides = sides_text(constant.get("shape") or ())
    return shown_name(constant) or (source or sides if sides else "")
