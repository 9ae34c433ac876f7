"""Find statements without effect in the source text: methods that are not called, results that are dropped."""

from __future__ import annotations

import ast
import difflib
import functools
from collections.abc import Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

Kind: TypeAlias = Literal["not_called", "compared", "dropped", "attribute", "rebound", "mode", "group"]

NOT_CALLED = frozenset(
    [
        *("backward", "step", "zero_grad", "update", "eval", "train"),
        *("detach_", "requires_grad_", "retain_grad", "unscale_", "zero_"),
    ]
)
"""Methods that are called for what they do. As a statement, their name alone does nothing."""

COMPARED = frozenset(["requires_grad", "training", "lr", "grad", "data", "is_leaf"])
"""Attributes whose comparison as a statement was meant as an assignment."""

REQUIRES_GRAD = "requires_grad"
CLOSE = 0.85
"""Similarity from which a name is a misspelling of `requires_grad`: `require_grad` has 0.96, `grad` 0.47."""


class Idle(Struct, frozen=True):
    """A statement. owner: the expression before the last dot. name: what follows it. line: of its file.

    function: the name of the innermost function that contains it; None at the top level.
    """

    kind: Kind
    text: str
    owner: ast.expr
    name: str
    line: int
    function: str | None


@functools.lru_cache(maxsize=16)
def idle_statements(source: str) -> tuple[Idle, ...]:
    """The statements of a file that may have no effect, in the order of the text; empty if it is not Python.

    Whether a dropped result or an attribute matters depends on what the owner is.
    """
    own = own_attributes(source)
    found = (idle for idle in _in(parsed(source), None) if idle.kind != "attribute" or not _is_of_self(idle, own))
    return tuple(sorted(found, key=lambda idle: idle.line))


@functools.lru_cache(maxsize=16)
def own_attributes(source: str) -> frozenset[str]:
    """The attributes of `self` that the text of a file sets and reads: those of its classes."""
    named = [node for node in ast.walk(parsed(source)) if isinstance(node, ast.Attribute)]
    own = [node for node in named if isinstance(node.value, ast.Name) and node.value.id == "self"]
    is_set, is_read = ({node.attr for node in own if isinstance(node.ctx, kind)} for kind in (ast.Store, ast.Load))
    return frozenset(is_set & is_read)


def _is_of_self(idle: Idle, own: frozenset[str]) -> bool:
    return isinstance(idle.owner, ast.Name) and idle.owner.id == "self" and idle.name in own


@functools.lru_cache(maxsize=16)
def called_functions(source: str) -> frozenset[str]:
    """The names of functions and methods that the text of a file refers to, and may therefore call."""
    tree = parsed(source)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return frozenset(names | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)})


def parsed(source: str) -> ast.AST:
    """The syntax tree of a text; an empty one if it is not Python."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module([], [])


def _in(node: ast.AST, function: str | None, parameters: frozenset[str] = frozenset()) -> Iterator[Idle]:
    """The statements below a node. parameters: the variables of the loops around it that are parameters."""
    for child in ast.iter_child_nodes(node):
        inside = parameters
        if isinstance(child, ast.Expr):
            yield from _of_expression(child.value, function)
        elif isinstance(child, (ast.Assign, ast.AugAssign)):
            for target in child.targets if isinstance(child, ast.Assign) else [child.target]:
                if isinstance(target, ast.Attribute) and not _is_set_of_parameter(target, parameters):
                    yield _idle("attribute", target, target, function)
        elif isinstance(child, ast.For):
            yield from _rebound(child, function)
            inside = parameters | _looped_parameters(child)
        name = child.name if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) else function
        yield from _in(child, name, inside)


def _is_set_of_parameter(target: ast.Attribute, parameters: frozenset[str]) -> bool:
    """Whether this sets `requires_grad` of a parameter, which is where it belongs."""
    return target.attr == REQUIRES_GRAD and isinstance(target.value, ast.Name) and target.value.id in parameters


def _looped_parameters(loop: ast.For) -> frozenset[str]:
    """The variables of a loop over `parameters()` or `named_parameters()`."""
    called = [node.attr for node in ast.walk(loop.iter) if isinstance(node, ast.Attribute)]
    names = [node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)]
    return frozenset(names if not {"parameters", "named_parameters"}.isdisjoint(called) else ())


def _rebound(loop: ast.For, function: str | None) -> Iterator[Idle]:
    """An update of a loop's variable, `p = p - rate * p.grad`, that the rest of the loop's body does not use."""
    names = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
    for position, statement in enumerate(loop.body):
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            continue
        name = statement.targets[0].id
        used = [node for later in loop.body[position + 1 :] for node in ast.walk(later)]
        if name in names and not any(isinstance(node, ast.Name) and node.id == name for node in used):
            grads = [node for node in ast.walk(statement.value) if isinstance(node, ast.Attribute)]
            own = [node for node in grads if isinstance(node.value, ast.Name) and node.value.id == name]
            if any(node.attr == "grad" for node in own):
                owner = next(node.value for node in own)
                yield Idle("rebound", ast.unparse(statement), owner, name, statement.lineno, function)


def _of_expression(value: ast.expr, function: str | None) -> Iterator[Idle]:
    if isinstance(value, ast.Attribute) and value.attr in NOT_CALLED:
        yield _idle("not_called", value, value, function)
    elif isinstance(value, ast.Compare) and isinstance(value.left, ast.Attribute):
        if isinstance(value.ops[0], (ast.Eq, ast.Is)) and value.left.attr in COMPARED:
            yield _idle("compared", value, value.left, function)
    elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        yield _idle("dropped", value, value.func, function)


def _idle(kind: Kind, whole: ast.expr, attribute: ast.Attribute, function: str | None) -> Idle:
    return Idle(kind, ast.unparse(whole), attribute.value, attribute.attr, whole.lineno, function)


def is_misspelt(name: str) -> bool:
    """Whether an attribute is a misspelling of `requires_grad`."""
    wanted = REQUIRES_GRAD
    return name != wanted and difflib.SequenceMatcher(None, name, wanted).ratio() >= CLOSE
