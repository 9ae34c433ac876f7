"""The numbers that tensors were converted to, and the operations that used them."""

from __future__ import annotations

import ast
import re

from inspector.diagnosis.backward_view import BackwardView
from inspector.report.row_types import CutRow

_ADDING = ("append", "appendleft", "extend", "insert", "update")


def is_number_in(call: BackwardView, cut: CutRow, node: str) -> bool:
    """Whether a number that a Node of this call used is computed from a variable that the statement of a cut
    assigned."""
    names = _assigned(cut)
    constants = call.functions[node].get("constants", ()) if names else ()
    texts = [str(row.get("expression") or row["name"] or "") for row in constants]
    return any(name in re.findall(r"\w+", text) for text in texts for name in names)


def _assigned(cut: CutRow) -> set[str]:
    """The variables and attributes that the statement of a cut assigns, and the containers that it adds to."""
    source = cut["source"]
    if source is None or "unknown" in source:
        return set()
    try:
        tree = ast.parse(source["code"].strip())
    except SyntaxError:  # only the first line of a statement, such as a loop
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
            found.add(_last_name(node))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _ADDING:
            found.add(_last_name(node.func.value))
    return found - {""}


def _last_name(node: ast.expr) -> str:
    """`x` of `x`, `self.x` and `x[0]`; empty for another expression."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
