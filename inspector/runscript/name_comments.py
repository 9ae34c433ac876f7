"""Comments for the inspector: `# inspect: w0 = w_0` gives a tensor a mathematical name for figures."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator

from inspector.typography.math_notation import math_notation

_OURS = re.compile(r"#\s*inspect:\s*(.*)")
_NAMING = re.compile(r"([^\W\d][\w.\[\]]*)\s*=\s*(.+)")


def drawn_names(source: str) -> tuple[dict[str, str], list[str]]:
    """(name in the script → name in figures, a line for every invalid comment)."""
    names: dict[str, str] = {}
    remarks: list[str] = []
    for line, text in _comments(source):
        for part in text.split(","):
            found = _NAMING.fullmatch(part.strip())
            drawn = math_notation(found[2]) if found else None
            if found is None:
                remarks.append(f"line {line}: '# inspect: {text}' is not a name; write '# inspect: w0 = w_0'")
            elif drawn is None:
                remarks.append(
                    f"line {line}: '{found[2]}' cannot be drawn; use \\alpha to \\Omega, \\hat y, w_0, x^2"
                )
            else:
                names[found[1]] = drawn
    return names, remarks


def _comments(source: str) -> Iterator[tuple[int, str]]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            found = _OURS.fullmatch(token.string) if token.type == tokenize.COMMENT else None
            if found:
                yield token.start[0], found[1].strip()
    except (tokenize.TokenError, SyntaxError):
        return  # python reports the error of the script
