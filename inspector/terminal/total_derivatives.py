"""The total derivative of the root by each leaf: `∂f/∂u = v + 2u = 4`, and the definitions of v1, v2, …"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.text import Text

from inspector.derivatives import total_derivatives
from inspector.graph import Graph
from inspector.terminal.labels import function_title, operand, root_labels, tensor_label
from inspector.terminal.text_cells import GRADIENT, QUIET, fit_text, wrapped
from inspector.typography import format_number
from inspector.typography.formula_format import format_formula

_NAME = re.compile(r"(?<![A-Za-z_.])v\d+(?![0-9A-Za-z_])")  # also in `2v1²`
_LONGEST_ROOT = 8
_MOST = 8


def total_lines(graph: Graph, width: int, above: Iterable[Text]) -> list[Text]:
    """One line for each leaf with a total derivative, then what the names in formulas stand for, also in those
    of the lines above."""
    root = root_labels(graph)
    over = root if 0 < len(root) <= _LONGEST_ROOT else ""
    found = total_derivatives(graph)
    labels = [f"∂{operand(over)}/∂{operand(tensor_label(graph.tensor(leaf), 24))} = " for leaf in found]
    margin = max(map(len, labels), default=0)
    lines = []
    for label, derivative in list(zip(labels, found.values(), strict=True))[:_MOST]:
        symbol = format_formula(derivative["symbol"] or "")
        text = Text(f"{symbol} = " if any(map(str.isalpha, symbol)) else "")
        text.append(format_number(derivative["value"]), style=GRADIENT)
        lines += wrapped(Text(label.rjust(margin)), text, width)
    return [*lines, *_aliases(graph, width, [*above, *lines])]


def _aliases(graph: Graph, width: int, shown: Iterable[Text]) -> list[Text]:
    """`where v1 = x·y + exp(x)`; the source text if there is no formula."""
    sources = {row["grad_fn"]: row["expression"] for _, row in graph.tensors() if row.get("expression")}
    made = {
        function["alias"]["name"]: function["alias"]["expression"]
        or sources.get(identifier)
        or function_title(function["name"])
        for identifier, function in graph.functions()
        if "alias" in function
    }
    names = sorted(_used(shown, made), key=lambda name: int(name[1:]))
    text = ", ".join(f"{name} = {fit_text(format_formula(made[name]), 48)}" for name in names)
    return wrapped(Text("where  ", style=QUIET), Text(text, style=QUIET), width) if names else []


def _used(shown: Iterable[Text], made: dict[str, str]) -> set[str]:
    """The names that occur on the screen, directly or in the definition of another name."""
    texts = [line.plain for line in shown]
    used: set[str] = set()
    while texts:
        found = set(_NAME.findall(texts.pop())) & made.keys() - used
        used |= found
        texts += [made[name] for name in found]
    return used
