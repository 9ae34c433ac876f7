"""The source texts of the operands of an operation: `u` and `x` in `u * x`, `h` and `0.1` in `F.elu(h, 0.1)`."""

from __future__ import annotations

import ast
from collections.abc import Callable

from msgspec import Struct, field


class OperandText(Struct, frozen=True):
    """The text of one operand. name: its text, if it is a name (`x`, `self.scale`), else None.

    expression: its text, if it is neither a name nor a number.
    """

    name: str | None = None
    expression: str | None = None


NO_TEXT = OperandText()


class OperandTexts(Struct, frozen=True):
    """The texts of the operands of one expression.

    receiver: what a method is called of. positional: the others, by position. keywords: by keyword.
    is_operator: whether it is one of Python's, which calls a method of its right operand if the left one has none.
    is_list: whether the first of `positional` are the elements of a list, as in `torch.cat([x, h])`.
    """

    receiver: OperandText | None = None
    positional: tuple[OperandText, ...] = ()
    keywords: dict[str, OperandText] = field(default_factory=dict)
    is_operator: bool = False
    is_list: bool = False

    def at(self, position: int, count: int) -> OperandText:
        """The text of one of `count` positional arguments. A receiver may be a module (`nnf` in `nnf.elu(h)`): it
        is an argument only if the number of arguments says so."""
        texts = self.positional
        if self.receiver is not None and len(texts) + 1 == count:
            texts = (self.receiver, *texts)
        return texts[position] if len(texts) == count else NO_TEXT


NO_TEXTS = OperandTexts()


def operand_texts(node: ast.AST, segment: Callable[[ast.expr], str]) -> OperandTexts:
    """The operands of an expression or an augmented assignment. segment: the source text of an expression."""

    def text(operand: ast.expr) -> OperandText:
        if isinstance(operand, (ast.Name, ast.Attribute)):
            found = segment(operand)
            *_, last = parts = found.split(".")
            is_name = all(map(str.isidentifier, parts)) and (len(parts) == 1 or last not in _COMPUTED)
            return OperandText(name=found) if is_name else OperandText(expression=found)
        return NO_TEXT if _is_number(operand) else OperandText(expression=segment(operand))

    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        pair = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
        return OperandTexts(positional=tuple(map(text, pair)), is_operator=True)
    if isinstance(node, ast.UnaryOp):
        return OperandTexts(positional=(text(node.operand),))
    if isinstance(node, ast.Call) and not any(isinstance(item, ast.Starred) for item in node.args):
        receiver = text(node.func.value) if isinstance(node.func, ast.Attribute) else None
        keywords = {item.arg: text(item.value) for item in node.keywords if item.arg is not None}
        first = node.args[0] if node.args else None
        is_list = isinstance(first, (ast.List, ast.Tuple))
        arguments = [*first.elts, *node.args[1:]] if isinstance(first, (ast.List, ast.Tuple)) else node.args
        return OperandTexts(receiver, tuple(map(text, arguments)), keywords, is_list=is_list)
    return NO_TEXTS


_COMPUTED = ("T", "mT", "H", "mH", "real", "imag", "data", "grad")
"""Attributes of a tensor that do not name it."""


def _is_number(operand: ast.expr) -> bool:
    if isinstance(operand, ast.UnaryOp):
        return _is_number(operand.operand)
    return isinstance(operand, ast.Constant) and isinstance(operand.value, (int, float, complex))
