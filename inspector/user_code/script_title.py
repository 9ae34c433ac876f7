"""The title that a script gives itself: its docstring or first comment, if that is short."""

from __future__ import annotations

import ast
import re

LONGEST = 60
"""Characters of a title."""
_NOT_A_TITLE = re.compile(
    r"!|-\*-|coding|type:|noqa|ruff:|pylint|mypy:|inspect:|expect:|copyright|licen[sc]e|spdx|https?:|\(c\)", re.I
)
_LABEL = re.compile(r"\w+:")
"""What a long comment begins with that is no title: `# usage: …`."""
_COMMENT = re.compile(r"#+:?\s*(\S.*)")


def script_title(source: str) -> str:
    """The title of a script's source, on one line; empty if it has none that is short."""
    try:
        docstring = ast.get_docstring(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        docstring = None
    if docstring:
        return _shortened(docstring.splitlines()[0])
    comment = _first_comment(source)
    title = _shortened(comment)
    return "" if _LABEL.match(comment) and " " not in title else title


def _first_comment(source: str) -> str:
    """The first comment above all code that is not about the file or its tools."""
    for line in source.splitlines():
        comment = _COMMENT.fullmatch(line.strip())
        if line.strip() and not line.lstrip().startswith("#"):
            return ""
        if comment and not _NOT_A_TITLE.match(comment[1]):
            return comment[1]
    return ""


def _shortened(line: str) -> str:
    """A line without its full stop; of a long one its first sentence, or what precedes a colon."""
    line = " ".join(line.split())
    for pattern in (r"\.$", r"[.;](?= ).*$", r":(?= ).*$"):
        short = re.sub(pattern, "", line)
        if len(short) <= LONGEST:
            return short
    return ""
