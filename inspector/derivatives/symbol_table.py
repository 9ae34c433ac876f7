"""Symbols for the tensors of a graph: the name, the source expression, or v1, v2, …

Only this module, `edge_derivatives` and `total_derivative` need sympy. It is imported if a graph has an edge that
can have a symbol.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, cast

import numpy
import sympy
from sympy.core.parameters import distribute

from inspector.derivatives.elementary import find_elementary
from inspector.derivatives.expression_printer import Names, print_expression
from inspector.derivatives.forward_reconstruction import ForwardReconstruction, KnownOperand, compiled
from inspector.derivatives.numeric_functions import CONSTANTS, NUMERIC
from inspector.derivatives.small_tensor import SmallTensor, number_or_nan
from inspector.graph.node_names import op_of
from inspector.graph.row_types import FunctionRow, TensorRow
from inspector.graph.tensor_names import numbered_name
from inspector.graph.topology import Pair

LONGEST = 24
"""Maximum number of characters of an expression that is used within another; a longer one becomes v1, v2, …"""

_LIMIT = 500
"""Maximum number of tensors of one graph that are written as expressions."""

_FUNCTIONS: dict[str, Any] = {
    **{name: sympy.Function(name) for name in NUMERIC},
    "sqrt": sympy.sqrt,
    "pi": sympy.pi,
    "__builtins__": {},
}
"""Functions that sympy does not evaluate, which keeps the form of the script and saves time."""


class SymbolTable:
    """Sympy expressions for the tensors of one graph.

    expand: whether a tensor with a name is written as the expression that computed it instead of its name.
    """

    def __init__(self, forward: ForwardReconstruction, *, expand: bool = False, longest: int = LONGEST) -> None:
        self._forward = forward
        self._expand = expand
        self._longest = longest
        self._found: dict[Pair, Any] = {}
        self._called: dict[str, Pair | str] = {}
        self.values: dict[Any, SmallTensor] = {}
        self.aliases: dict[Any, Pair] = {}
        self.definitions: dict[Any, Any] = {}

    def of(self, pair: Pair) -> Any:
        """The expression of a tensor."""
        waiting = [pair]
        while waiting:
            now = waiting[-1]
            if now in self._found:
                waiting.pop()
                continue
            missing = [part for part in self._parts(now) if part not in self._found]
            if missing:
                waiting += missing
            else:
                self._found[now] = self._compose(now)
        return self._found[pair]

    def derivative(self, function: str, name: str, text: str) -> Any:
        """The expression of a derivative of the table at the operands of a function; None if one is unknown."""
        operands = self._operands(function, text)
        if operands is None:
            return None
        if "n" in compiled(text).co_names:
            operand = self._forward.operands(function)[name]
            value = operand.value if operand.pair is None else self._forward.value(operand.pair)
            operands["n"] = sympy.Integer(value.size if value is not None else 1)
        if "ties" in compiled(text).co_names:
            operands["ties"] = sympy.Integer(self._forward.ties(function))
        output = self._remember_output(function)
        found = _expression(text, operands)
        row = self._forward.tensor((function, 0))
        if found is None or output is None or row is None or "pass" not in row:
            return found
        return found.xreplace({output: self.of((function, 0))})  # 1 - h₂² instead of 1 - tanh(w*h₁ + u*x)²

    def _remember_output(self, function: str) -> Any:
        """The expression of the output of a function, for which its recorded value is used from now on: torch
        computes 1 - s from the saved s, and if that cancels (a saturated sigmoid in float32), the exact s gives a
        different number. None if there is none."""
        entry, value = find_elementary(self._forward.function(function)), self._forward.value((function, 0))
        operands = None if entry is None else self._operands(function, entry.expression)
        if entry is not None and operands is not None and value is not None:
            made = _expression(entry.expression, operands)
            if made is not None and made.args:
                self.values[made] = value
                return made
        return None

    def names(self, expressions: list[Any]) -> Names:
        """v1, v2, … for the aliases that these expressions use, in the order of the forward.

        An alias that has a name in the graph (`define`) keeps it: one name stands for one tensor.
        """
        used: set[Any] = set()
        waiting = list(expressions)
        while waiting:
            for symbol in waiting.pop().free_symbols & self.aliases.keys() - used:
                used.add(symbol)
                if self.definitions[symbol] is not None:
                    waiting.append(self.definitions[symbol])
        turns = {function: turn for turn, function in enumerate(self._forward.order)}
        ordered = sorted(used, key=lambda symbol: (turns[self.aliases[symbol][0]], self.aliases[symbol][1]))
        known = self._forward.aliases()
        taken = {*known.values(), *self._called, *self._forward.tensor_names}
        free = (name for number in itertools.count(1) if (name := f"v{number}") not in taken)
        return {alias: known.get(self.aliases[alias]) or next(free) for alias in ordered}

    def define(self, names: Names) -> None:
        """Store the names of aliases, and what they stand for, in the rows of their functions."""
        for alias, name in names.items():
            function = self._forward.function(self.aliases[alias][0])
            if "alias" not in function:
                definition = self.definitions[alias]
                text = None if definition is None else print_expression(definition, names)
                function["alias"] = {"name": name, "expression": text}

    def _parts(self, pair: Pair) -> list[Pair]:
        """The tensors whose expressions are needed for the expression of `pair`."""
        if self._name(pair) is not None or pair[1] or len(self._found) > _LIMIT:
            return []
        entry = find_elementary(self._forward.function(pair[0]))
        if entry is None or self._forward.value(pair) is None:
            return []
        operands = self._forward.operands(pair[0])
        wanted = [operands.get(name) for name in compiled(entry.expression).co_names]
        return [operand.pair for operand in wanted if operand is not None and operand.pair is not None]

    def _compose(self, pair: Pair) -> Any:
        name = self._name(pair)
        if name is not None:
            return self._symbol(name, pair, self._forward.value(pair))
        row = self._forward.function(pair[0])
        entry = find_elementary(row)
        composed = None
        if entry is not None and not pair[1]:
            operands = self._operands(pair[0], entry.expression)
            composed = None if operands is None else _expression(entry.expression, operands)
        if composed is not None and len(print_expression(composed)) <= self._longest:
            return composed
        selected = self._selected(pair, row)
        return selected if selected is not None else self._alias(pair, composed)

    def _selected(self, pair: Pair, row: FunctionRow) -> Any:
        """`w[0]` for an element of a tensor with a name."""
        if op_of(row["name"]) != "select" or row["attributes"].get("dim") != 0:
            return None
        for target, edge in self._forward.edges(pair[0]):
            tensor = self._forward.tensor((target, edge["input_nr"]))
            if tensor is not None and tensor["name"]:
                value = self._forward.value(pair)
                return self._symbol(f"{numbered_name(tensor)}[{row['attributes']['index']}]", pair, value)
        return None

    def _alias(self, pair: Pair, definition: Any) -> Any:
        known = next((alias for alias, made in self.definitions.items() if made == definition), None)
        if known is not None and definition is not None:
            return known
        alias = sympy.Dummy("v1")
        self.aliases[alias] = pair
        self.definitions[alias] = definition
        value = self._forward.value(pair)
        if value is not None:
            self.values[alias] = value
        return alias

    def _symbol(self, name: str, owner: Pair | str, value: SmallTensor | None) -> Any:
        """The symbol of a name; for a second tensor with the same name, an alias."""
        if self._called.setdefault(name, owner) != owner:
            return self._alias(owner, None) if isinstance(owner, tuple) else _exact_or_none(value)
        symbol = sympy.Symbol(name)
        if value is not None:
            self.values[symbol] = value
        return symbol

    def _name(self, pair: Pair) -> str | None:
        tensor = self._forward.tensor(pair)
        if tensor is None or not tensor["name"] or (self._expand and not tensor["is_leaf"]):
            return None
        return numbered_name(tensor)

    def _operands(self, function: str, text: str) -> dict[str, Any] | None:
        """Expressions of the names in `text`; None if one of them is unknown."""
        found = {}
        for name in compiled(text).co_names:
            if name in _FUNCTIONS or name in ("n", "ties"):
                continue
            expression = self._operand(function, name)
            if expression is None:
                return None
            found[name] = expression
        return found

    def _operand(self, function: str, name: str) -> Any:
        if name == "result":
            return self.of((function, 0))
        operand = self._forward.operands(function).get(name, KnownOperand())
        if operand.pair is not None:
            return self.of(operand.pair)
        tensor = None if operand.tensor is None else self._forward.nodes[operand.tensor]
        called = None if tensor is None else numbered_name(cast(TensorRow, tensor))
        if called:
            return self._symbol(called, str(operand.tensor), operand.value)
        return _exact_or_none(operand.value)


def brackets_kept() -> AbstractContextManager[None]:
    """Context in which sympy does not expand 2*(x + 1). Enter it seldom: it clears sympy's cache."""
    kept: AbstractContextManager[None] = distribute(False)
    return kept


def number_at(expression: Any, values: dict[Any, SmallTensor]) -> SmallTensor:
    """The numeric value of an expression. Scalars are broadcast; NaN if a value is unknown."""
    parts = set(sympy.preorder_traversal(expression)) & values.keys()
    shapes = {values[part].shape for part in parts}
    shape = max(shapes, key=math.prod, default=())
    columns = {
        part: numpy.broadcast_to(item, shape).ravel().tolist()
        for part in parts
        if (item := values[part]).shape in ((), shape)
    }
    items = [
        _number(expression, {part: column[position] for part, column in columns.items()})
        for position in range(math.prod(shape))
    ]
    return numpy.array(items).reshape(shape)


def _number(expression: Any, at: dict[Any, float]) -> float:
    if expression in at:
        return at[expression]
    if expression.is_Symbol:
        return math.nan
    if expression.is_number and not expression.args:
        return float(expression)
    arguments = [_number(argument, at) for argument in expression.args]
    return number_or_nan(lambda: _operation(expression)(*arguments), {})


def _operation(expression: Any) -> Callable[..., Any]:
    if expression.is_Add:
        return lambda *terms: math.fsum(terms)
    if expression.is_Mul:
        return lambda *factors: math.prod(factors)
    if expression.is_Pow:
        return lambda base, exponent: base**exponent
    return NUMERIC.get(expression.func.__name__, lambda *_: math.nan)


def _expression(text: str, operands: dict[str, Any]) -> Any:
    """Evaluate a text of the table with sympy's functions; None if sympy simplifies a part to infinity, NaN or a
    complex number, or cannot evaluate it."""
    try:
        made = sympy.sympify(eval(compiled(text), _FUNCTIONS, operands))  # safe: texts of the table
        return None if made.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo, sympy.I) else made
    except (ArithmeticError, TypeError, ValueError, RecursionError):  # of sympy, for some expressions
        return None


def _exact_or_none(value: SmallTensor | None) -> Any:
    return None if value is None or value.shape else exact(value.item())


@functools.cache
def exact(number: float) -> Any:
    """A constant as an exact number with few digits, as in the script: 3, 0.1. None if it is not finite."""
    if not math.isfinite(number):
        return None
    for digits in range(1, 10):
        text = f"{number:.{digits}g}"
        if abs(float(text) - number) <= 3e-8 * abs(number):  # half a step of a float32
            return sympy.Rational(text)
    return sympy.Rational(f"{number:.12g}")


assert CONSTANTS.keys() <= _FUNCTIONS.keys()
