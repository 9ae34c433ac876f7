"""The formulas by which the page computes a graph of scalars at another point.

An expression of the tables of `derivatives` becomes a tree of plain lists that the viewer interprets, so that the
page's policy need not allow any further script: a number, a name, or `[operation, argument, …]`.
"""

from __future__ import annotations

import ast
from typing import Any, TypeAlias

from inspector.derivatives.elementary import find_elementary
from inspector.derivatives.forward_reconstruction import ForwardReconstruction
from inspector.derivatives.total_derivative import root_pair
from inspector.graph import Graph
from inspector.graph.values import is_number

MOST_FUNCTIONS = 60

Tree: TypeAlias = "float | str | list[Any]"

_KNOWN = (
    "exp log sqrt sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh sigmoid softplus relu Abs sign"
    " Heaviside Max Min floor ceiling"
)
FUNCTIONS = frozenset(_KNOWN.split())
"""The functions that the viewer knows (`viewer/live.js`), besides + - * / and powers."""
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


class _NoTree(Exception):
    """The expression uses something that the viewer does not know."""


def live_formulas(graph: Graph, number: dict[str, int]) -> list[dict[str, Any]] | None:
    """The formula of every function in the order of the forward, each after those that computed its inputs.

    number: the numbers of the functions in the page. None if the graph is not one of elementary functions of
    scalar leaves with one root, or too large.
    """
    if len(number) > MOST_FUNCTIONS or any(True for _ in graph.folds()):
        return None
    forward = ForwardReconstruction(graph)
    leaves = {pair[0]: leaf for leaf, pair in forward.leaves()}
    if root_pair(forward) is None or not leaves:
        return None
    if not all(is_number(graph.tensor(leaf)["before"]["data"]) for leaf in leaves.values()):
        return None
    found: list[dict[str, Any]] = []
    for function in forward.order:
        if function in leaves:
            continue
        row = _formula(forward, function, number)
        if row is None:
            return None
        found.append(row)
    return found


def _formula(forward: ForwardReconstruction, function: str, number: dict[str, int]) -> dict[str, Any] | None:
    entry = find_elementary(forward.function(function))
    if entry is None or not is_number(forward.function(function)["before"]["data"]):
        return None
    operands: dict[str, Any] = {}
    for name, operand in forward.operands(function).items():
        if operand.pair is not None:
            if operand.pair[1]:
                return None
            operands[name] = [number[operand.pair[0]]]
        elif operand.value is not None and not operand.value.shape:
            operands[name] = float(operand.value)
    try:
        trees = {name: tree_of(text) for name, text in entry.derivatives.items()}
        value = tree_of(entry.expression)
    except _NoTree:
        return None
    used = set().union(*map(_names, (value, *trees.values())))
    if not used - {"result"} <= operands.keys():
        return None
    if any(edge["slot"] >= len(trees) for _, edge in forward.edges(function)):
        return None
    return {"node": number[function], "operands": operands, "value": value, "local": list(trees.values())}


def tree_of(text: str) -> Tree:
    """The tree of an expression. Raises `_NoTree`."""
    return _tree(ast.parse(text, mode="eval").body)


def _tree(node: ast.expr) -> Tree:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return [_OPERATORS[type(node.op)], _tree(node.left), _tree(node.right)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return ["-", 0, _tree(node.operand)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
        return [node.func.id, *map(_tree, node.args)]
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value
    if isinstance(node, ast.Name):
        return 3.141592653589793 if node.id == "pi" else node.id
    raise _NoTree


def _names(tree: Tree) -> set[str]:
    if isinstance(tree, str):
        return {tree}
    return set().union(*map(_names, tree[1:])) if isinstance(tree, list) else set()
