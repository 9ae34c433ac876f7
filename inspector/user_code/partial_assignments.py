"""Find assignments in the source text that change one part where others are meant as well: the mode of a module
without those inside it, an option of the first parameter group."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator

from inspector.user_code.idle_statements import Idle, parsed


@functools.lru_cache(maxsize=16)
def partial_assignments(source: str) -> tuple[Idle, ...]:
    """The assignments of a file that may be partial, in the order of the text; empty if it is not Python.

    Left out are those to the variable of a loop, to `self`, and to a group if the file also sets that option of
    another group, or gives groups values of their own.
    """
    tree = parsed(source)
    looped = {
        name.id
        for loop in ast.walk(tree)
        if isinstance(loop, (ast.For, ast.comprehension))
        for name in ast.walk(loop.target)
        if isinstance(name, ast.Name)
    }
    found = [idle for idle in _in(tree, source, None) if not _is_name(idle.owner, looped | {"self"})]
    return tuple(idle for idle in found if idle.kind != "group" or not _is_set_elsewhere(tree, idle.name))


def _is_name(owner: ast.expr, names: set[str]) -> bool:
    return isinstance(owner, ast.Name) and owner.id in names


def _in(node: ast.AST, source: str, function: str | None) -> Iterator[Idle]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Assign, ast.AugAssign)):
            for target in child.targets if isinstance(child, ast.Assign) else [child.target]:
                yield from _of_target(target, child.value, source, function)
        name = child.name if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) else function
        yield from _in(child, source, name)


def _of_target(target: ast.expr, value: ast.expr, source: str, function: str | None) -> Iterator[Idle]:
    text, line = ast.get_source_segment(source, target) or ast.unparse(target), target.lineno
    if isinstance(target, ast.Attribute) and target.attr == "training":
        if isinstance(value, ast.Constant) and isinstance(value.value, bool):
            yield Idle("mode", f"{text} = {value.value}", target.value, "training", line, function)
    elif (key := _option(target)) is not None and isinstance(target, ast.Subscript):
        group = target.value
        assert isinstance(group, ast.Subscript) and isinstance(group.value, ast.Attribute)
        if isinstance(group.slice, (ast.Constant, ast.UnaryOp)):
            yield Idle("group", text, group.value.value, key, line, function)


def _option(target: ast.AST) -> str | None:
    """The option that is set by `optimizer.param_groups[...]["lr"]`; None for another target."""
    if not isinstance(target, ast.Subscript) or not isinstance(target.slice, ast.Constant):
        return None
    group, key = target.value, target.slice.value
    if not isinstance(group, ast.Subscript) or not isinstance(group.value, ast.Attribute):
        return None
    return key if group.value.attr == "param_groups" and isinstance(key, str) else None


def _is_set_elsewhere(tree: ast.AST, key: str) -> bool:
    """Whether the text also sets this option of other groups, in a loop or by an index, or gives one its own."""
    indices: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            if _option(node) == key and isinstance(node.value, ast.Subscript):
                indices.add(ast.unparse(node.value.slice))
            elif isinstance(node.slice, ast.Constant) and node.slice.value == key:
                return True  # of a group in a variable
        elif isinstance(node, ast.Dict):
            names = {item.value for item in node.keys if isinstance(item, ast.Constant)}
            if {"params", key} <= names:
                return True
        elif isinstance(node, ast.Call) and {"params", key} <= {word.arg for word in node.keywords}:
            return True
    return len(indices) > 1
