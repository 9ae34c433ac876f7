"""Labels of Nodes, tensors and local derivatives in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.text import Text

from inspector.graph import Graph, is_summary, is_unknown
from inspector.graph.node_names import without_number
from inspector.graph.row_types import LibraryLine, Source, TensorRow
from inspector.graph.tensor_names import numbered_name
from inspector.graph.values import Value
from inspector.report.row_types import Fault
from inspector.terminal.text_cells import GRADIENT, QUIET, STRONG, VALUE, fit_path, fit_paths, fit_text
from inspector.typography import shape_text, value_text
from inspector.typography.formula_format import format_formula, is_sum


def function_title(name: str) -> str:
    """`PowBackward` for PowBackward0: torch's number only distinguishes overloads."""
    return fit_text(without_number(name))


def tensor_labels(tensors: Iterable[TensorRow], width: int) -> dict[str, str]:
    """The label of each name in a table: different names have different labels."""
    return fit_paths((name for tensor in tensors if (name := numbered_name(tensor)) is not None), width)


def tensor_label(
    attributes: TensorRow, width: int = 32, otherwise: str = "", labels: Mapping[str, str] | None = None
) -> str:
    """The tensor's name, the expression that computed it, or its dtype and shape: `float32[64, 784]`.

    otherwise: what stands instead of dtype and shape. labels: of the names in the same table.
    """
    name = numbered_name(attributes)
    if name is not None:
        return labels[name] if labels and name in labels else fit_path(name, width)
    expression = attributes.get("expression") or otherwise
    return fit_text(expression or shape_text(attributes["dtype"], attributes["shape"]), width)


def operand(label: str) -> str:
    """A label after ∂: in brackets if it is not a name (`∂(x*x)/∂x`)."""
    return label if all(sign.isalnum() or sign in "_.[]'…" for sign in label) else f"({label})"


def value(content: Value, style: str = VALUE) -> Text:
    """A value on one line: blue (or `style`), or quiet if it is None or unknown."""
    quiet = content is None or is_unknown(content)
    return Text(fit_text(value_text(content), 48), style=QUIET if quiet else style)


def gradient(content: Value, style: str = GRADIENT) -> Text:
    """A gradient on one line; only the norm of a large one, since its shape is that of its tensor."""
    if is_summary(content):
        return Text(f"norm {value_text(content['norm'])}", style=style)
    return value(content, style)


def with_superscripts(symbol: str) -> str:
    """The symbol of a local derivative in mathematical notation: `2x` for `2*x`, in brackets if it is a sum."""
    text = format_formula(symbol)
    return f"({text})" if is_sum(text) else text


def header(index: int, location: Any) -> Text:
    """`backward 1 z.backward() saddle.py:7`."""
    line = Text.assemble((f"backward {index}", STRONG), "  ")
    if is_unknown(location):
        return line.append(f"called from an unknown line: {fit_text(location['unknown'], 40)}", style=QUIET)
    exact = location.get("library", location)
    return line.append(fit_text(exact["code"], 40)).append(f"  {place(exact)}", style=QUIET)


def place(location: Source | Fault | LibraryLine) -> str:
    """`saddle.py:7`."""
    return f"{fit_text(location['file'], 40)}:{location['line']}"


def root_labels(graph: Graph) -> str:
    """The names of the tensors that backward starts from."""
    return ", ".join(tensor_label(graph.tensor(root), 24) for root in graph.roots)
