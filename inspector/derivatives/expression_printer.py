"""Print a sympy expression as text that sympy and Python can parse, in textbook order: simple factors first, sums
last.

sympy's own printer has a different order, such as `(1 - sigmoid(p))*sigmoid(p)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_SUM, _PRODUCT, _POWER, _ATOM = range(4)
"""Precedence of the outermost operator of a text."""

_SMALL_DENOMINATOR = 9
_PI_DIGITS = 9

Names = Mapping[Any, str]
"""Texts of symbols that are not printed with their own name."""


def print_expression(expression: Any, names: Names | None = None, first: Sequence[Any] = ()) -> str:
    """The text of an expression.

    first: terms with which a sum should begin, in this order.
    """
    return _ExpressionPrinter(names or {}).sum_of(expression, first)


class _ExpressionPrinter:
    def __init__(self, names: Names) -> None:
        self._names = names

    def sum_of(self, expression: Any, first: Sequence[Any]) -> str:
        return self._add(expression, first) if expression.is_Add else self._text(expression, _SUM)

    def _text(self, expression: Any, within: int) -> str:
        """The text, in parentheses if its outermost operator has a lower precedence than `within`."""
        text, binding = self._bound(expression)
        return f"({text})" if binding < within else text

    def _bound(self, expression: Any) -> tuple[str, int]:
        if expression.is_Add:
            return self._add(expression, ()), _SUM
        if expression.is_Number:
            text = number_text(expression)
            return text, _SUM if text.startswith("-") else _PRODUCT if "/" in text else _ATOM
        if expression.is_Mul or (expression.is_Pow and _is_negative(expression.exp)):
            text = self._product(expression)
            return text, _SUM if text.startswith("-") else _PRODUCT
        if expression.is_Pow:
            return self._power(expression.base, expression.exp)
        if expression.is_Symbol:
            return self._names.get(expression, expression.name), _ATOM
        if expression.is_Function:
            arguments = ", ".join(self._text(argument, _SUM) for argument in expression.args)
            return f"{expression.func.__name__}({arguments})", _ATOM
        return str(expression), _ATOM

    def _add(self, expression: Any, first: Sequence[Any]) -> str:
        """Terms in the order of `first`, then by degree, constants last; the first is positive if possible."""
        terms = sorted(expression.as_ordered_terms(), key=_degree, reverse=True)
        ordered = [term for term in first if term in terms]
        ordered += [term for term in terms if term not in ordered]
        leading = next((term for term in ordered if not term.could_extract_minus_sign()), ordered[0])
        ordered.remove(leading)
        text = self._text(leading, _SUM)
        for term in ordered:
            part = self._text(term, _SUM)
            text += f" - {part[1:]}" if part.startswith("-") else f" + {part}"
        return text

    def _power(self, base: Any, exponent: Any) -> tuple[str, int]:
        if exponent.is_Rational and (exponent.p, exponent.q) == (1, 2):
            return f"sqrt({self._text(base, _SUM)})", _ATOM
        return f"{self._text(base, _ATOM)}**{self._text(exponent, _ATOM)}", _POWER

    def _product(self, expression: Any) -> str:
        coefficient, rest = expression.as_coeff_Mul()
        sign = "-" if coefficient < 0 else ""
        above, below = _fraction(abs(coefficient))
        upper, lower = [above] if above != "1" else [], [below] if below != "1" else []
        for factor in sorted(rest.args if rest.is_Mul else (rest,), key=_rank):
            if factor.is_Pow and _is_negative(factor.exp):
                lower.append(self._text(factor.base**-factor.exp, _POWER))
            elif not factor.is_Number or factor != 1:
                upper.append(self._text(factor, _POWER))
        text = "*".join(upper) or "1"
        if not lower:
            return sign + text
        denominator = "*".join(lower)
        return f"{sign}{text}/({denominator})" if len(lower) > 1 else f"{sign}{text}/{denominator}"


def number_text(number: Any) -> str:
    """The text of a sympy number: 2, 0.5, 1/3, 0.123456789."""
    above, below = _fraction(abs(number)) if number.is_finite else (str(number), "1")
    sign = "-" if number < 0 else ""
    if below == "1":
        return sign + above
    decimal = f"{float(number):.{_PI_DIGITS}g}"
    return decimal if len(decimal) <= len("-0.0001") else f"{sign}{above}/{below}"


def _fraction(number: Any) -> tuple[str, str]:
    """Numerator and denominator of a positive number; a decimal over 1 unless the denominator is small."""
    if number.is_Integer:
        return str(number), "1"
    if number.is_Rational and number.q <= _SMALL_DENOMINATOR:
        return str(number.p), str(number.q)
    return f"{float(number):.{_PI_DIGITS}g}", "1"


def _is_negative(exponent: Any) -> bool:
    return bool(exponent.is_number and exponent.is_negative)


def _rank(factor: Any) -> tuple[int, Any]:
    """Sort key of a factor: symbols and their powers before functions, sums last; otherwise sympy's order."""
    base = factor.base if factor.is_Pow else factor
    kind = 3 if base.is_Add else 2 if base.is_Function else 1 if base.is_Symbol else 0
    return kind, factor.sort_key()


def _degree(term: Any) -> float:
    """The degree of a term in its symbols; a function or a sum adds 0.1, and a constant has a degree of -1."""
    degree = -1.0 if term.is_number else 0.0
    for factor in term.as_ordered_factors():
        base, exponent = factor.as_base_exp()
        if base.is_Symbol and exponent.is_number:
            degree += float(exponent)
        elif not factor.is_number:
            degree += 0.1
    return degree
