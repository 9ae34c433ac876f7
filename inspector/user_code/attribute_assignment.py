"""Find where a class assigns an attribute, in its source text."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from inspector.user_code.paths import UserFiles


def assignment(kind: type, attribute: str, files: UserFiles) -> dict[str, Any] | None:
    """The first line of a user's class that fills `self.attribute`, by assignment or by a method (`append`); None
    if there is none."""
    found = [
        (how, function.__code__.co_firstlineno + line - 1, function.__code__.co_filename)
        for function in vars(kind).values()
        if isinstance(function, FunctionType) and files.is_users(function.__code__.co_filename)
        for how, line in _fills(_parsed(function), attribute)
    ]
    if not found:
        return None
    _, line, path = min(found)
    return {"file": files.display_path(path), "line": line, "code": files.statement_at(path, line)}


def _parsed(function: FunctionType) -> ast.AST:
    try:
        return ast.parse(textwrap.dedent("".join(inspect.getsourcelines(function.__code__)[0])))
    except (OSError, SyntaxError):  # e.g. created by exec
        return ast.Module([], [])


def _fills(parsed: ast.AST, attribute: str) -> Iterator[tuple[int, int]]:
    """(0 for a value that is not an empty list or dict, 1 for a method, 2 for an empty one; the line)."""
    for node in ast.walk(parsed):
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(_is_own(target, attribute) for target in targets):
                yield (2 if _is_empty(node.value) else 0), node.lineno
            elif any(isinstance(item, ast.Subscript) and _is_own(item.value, attribute) for item in targets):
                yield 1, node.lineno
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("append", "extend", "insert", "update")
            and _is_own(node.func.value, attribute)
        ):
            yield 1, node.lineno


def _is_own(node: ast.AST, attribute: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == attribute and isinstance(node.value, ast.Name)


def _is_empty(value: ast.AST | None) -> bool:
    if isinstance(value, (ast.List, ast.Tuple)):
        return not value.elts
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in ("list", "dict") and not value.args
    return value is None or (isinstance(value, ast.Dict) and not value.keys)
