"""Mathematical names: show the names that comments in the script give to tensors.

Code is unchanged: titles, listings and source expressions are monospaced and use the names in the script.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from inspector.graph import Graph
from inspector.graph.tensor_names import numbered_name, pass_subscript
from inspector.styles.plan import Plan

_RAISED = "\N{SUPERSCRIPT TWO}\N{SUPERSCRIPT THREE}\N{SUPERSCRIPT ONE}\u2070-\u207f\u1d40"
"""Superscript digits and signs and the T of a transposed matrix, which count as parts of a word."""


def with_math_names(plan: Plan, graph: Graph) -> Plan:
    """The plan with mathematical names instead of the names in the script.

    They are set in the rows of a graph: one whose rows are not made has none.
    """
    if graph.source is not None:
        return plan
    names = {
        name: symbol + pass_subscript(tensor)
        for _, tensor in graph.tensors()
        if (name := numbered_name(tensor)) and (symbol := tensor.get("symbol"))
    }
    if not names:
        return plan
    return plan.map_texts(
        lambda words: words if words.face == "mono" else replace(words, text=_renamed(words.text, names))
    )


def _renamed(text: str, names: dict[str, str]) -> str:
    """Replaces whole names only; a number may precede one (`2w0`), and a power may follow."""
    longest_first = sorted(map(re.escape, names), key=len, reverse=True)
    pattern = rf"(?<![^\W\d])(?:{'|'.join(longest_first)})(?![^\W{_RAISED}])"
    return re.sub(pattern, lambda found: names[found[0]], text)
