"""How Nodes, tensors and local derivatives are called in the terminal."""

from __future__ import annotations

import re
from typing import Any

from rich.text import Text

from inspector.graph import Graph, is_summary, is_unknown
from inspector.graph.values import Value
from inspector.terminal.cells import GRADIENT, QUIET, STRONG, VALUE, shown, shown_path
from inspector.text import number, shape_text, value_text
from inspector.text.numbers import MINUS

_NUMBERED = re.compile(r"(?<=Backward)\d+$")
_IN_MATHEMATICS = (
    (re.compile(r"\*\*2\b"), "²"),
    (re.compile(r"\*\*3\b"), "³"),
    (re.compile(r"(?<![\w.])(\d+)\*(?=[A-Za-z_(])"), r"\1"),  # 2*x as 2x, but x2*y as x2·y
    (re.compile(r"(?<!\*)\*(?!\*)"), "·"),
    (re.compile(r"-"), MINUS),
)


def function_title(name: str) -> str:
    """`PowBackward` for PowBackward0: the number is torch's, not the reader's."""
    return shown(_NUMBERED.sub("", name))


def tensor_label(attributes: dict[str, Any], width: int = 32) -> str:
    """The tensor's name, the source text that made it, or its type: `float32[64, 784]`."""
    name = attributes["name"]
    if name is not None:
        return shown_path(name, width)
    expression = attributes.get("expression")
    return shown(expression or shape_text(attributes["dtype"], attributes["shape"]), width)


def value(content: Value, style: str = VALUE) -> Text:
    """A value on one line: blue (or `style`), quiet where it is None or unknown."""
    quiet = content is None or is_unknown(content)
    return Text(shown(value_text(content), 48), style=QUIET if quiet else style)


def gradient(content: Value, style: str = GRADIENT) -> Text:
    """A gradient on one line; of a large one the norm alone, since its shape is its tensor's."""
    if is_summary(content):
        return Text(f"norm {value_text(content['norm'])}", style=style)
    return value(content, style)


def in_mathematics(symbol: str) -> str:
    """A local derivative's symbol as it is written by hand: `2x` for `2*x`, in brackets where it is a sum."""
    for pattern, replacement in _IN_MATHEMATICS:
        symbol = pattern.sub(replacement, symbol)
    return f"({symbol})" if _is_sum(symbol) else symbol


def factor(content: Value) -> str:
    """A number as a factor of a product: `(-1)` for -1."""
    text = number(content)
    return f"({text})" if text.startswith(MINUS) else text


def header(index: int, location: Any) -> Text:
    """`backward 1  z.backward()  saddle.py:7`: which call this is about."""
    line = Text.assemble((f"backward {index}", STRONG), "  ")
    if is_unknown(location):
        return line.append(f"called at an unknown place: {shown(location['unknown'], 40)}", style=QUIET)
    return line.append(shown(location["code"], 40)).append(f"  {place(location)}", style=QUIET)


def place(location: dict[str, Any]) -> str:
    """`saddle.py:7`."""
    return f"{shown(location['file'], 40)}:{location['line']}"


def root_labels(graph: Graph) -> str:
    """The names of the tensors that backward starts from."""
    return ", ".join(tensor_label(graph[root], 24) for root in graph.roots)


def _is_sum(symbol: str) -> bool:
    """Whether there is a + or a - outside of brackets, after the first sign."""
    depth = 0
    for position, character in enumerate(symbol):
        depth += (character == "(") - (character == ")")
        if depth == 0 and position > 0 and character in f"+{MINUS}" and symbol[position - 1] == " ":
            return True
    return False
