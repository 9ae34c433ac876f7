"""Source text without its comments. Does not import torch."""

from __future__ import annotations

import contextlib
import io


def without_comments(code: str) -> str:
    """A statement, or one of its lines, without comments."""
    if "#" not in code:
        return code
    import tokenize  # late, so that `inspect --help` is fast

    lines = code.splitlines(keepends=True)
    tokens: list[tokenize.TokenInfo] = []
    with contextlib.suppress(tokenize.TokenError, SyntaxError):  # a line of a statement need not be whole
        tokens.extend(tokenize.generate_tokens(io.StringIO(code).readline))
    for token in reversed(tokens):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            ending = "\n" if lines[row - 1].endswith("\n") else ""
            lines[row - 1] = lines[row - 1][:column].rstrip() + ending
    return "".join(line for line in lines if line.strip()).strip()
