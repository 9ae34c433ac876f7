"""The functions allowed in the tables' expressions, for numbers; at kinks they follow torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

_FLOAT32_ROUNDING = 1.2e-7
_NEGLIGIBLE = 1e-18


def _sigmoid(number: float) -> float:
    if number >= 0:
        return 1 / (1 + math.exp(-number))
    small = math.exp(number)
    return small / (1 + small)


def _softplus(number: float) -> float:
    return max(number, 0.0) + math.log1p(math.exp(-abs(number)))


def _sign(number: float) -> float:
    return float((number > 0) - (number < 0))


def _heaviside(number: float) -> float:
    """1 above 0, else 0, as in torch's relu at 0."""
    return 1.0 if number > 0 else 0.0


def _relu(number: float) -> float:
    return max(number, 0.0)


def _equals(one: float, other: float) -> float:
    """1 for equal numbers, of which one may have been rounded to a float32."""
    return float(math.isclose(one, other, rel_tol=_FLOAT32_ROUNDING))


def _erfinv(number: float) -> float:
    return NormalDist().inv_cdf((number + 1) / 2) / math.sqrt(2)


def _besseli(order: float, number: float) -> float:
    """The modified Bessel function of the first kind, of a whole order, by its power series."""
    half = number / 2
    term = half**order / math.factorial(int(order))
    terms = [term]
    while abs(term) > _NEGLIGIBLE * abs(terms[0]) and math.isfinite(term):
        term *= half * half / (len(terms) * (len(terms) + order))
        terms.append(term)
    return math.fsum(terms)


NUMERIC: dict[str, Callable[..., float]] = {
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "atan2": math.atan2,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "asinh": math.asinh,
    "acosh": math.acosh,
    "atanh": math.atanh,
    "erf": math.erf,
    "erfc": math.erfc,
    "loggamma": math.lgamma,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "relu": _relu,
    "Abs": abs,
    "sign": _sign,
    "Heaviside": _heaviside,
    "Eq": _equals,
    "Max": max,
    "Min": min,
    "floor": math.floor,
    "ceiling": math.ceil,
    "erfinv": _erfinv,
    "besseli": _besseli,
}
"""Functions by their name in expressions. All names except sigmoid, softplus and relu are also sympy's."""

CONSTANTS = {"pi": math.pi}
