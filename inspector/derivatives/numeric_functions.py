"""The functions allowed in the tables' expressions, for numbers; at kinks they follow torch."""

from __future__ import annotations

import math
from collections.abc import Callable


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
    """1 above 0, else 0, as in torch's relu at 0. (At a tie of max torch gives half to each: no symbol there.)"""
    return 1.0 if number > 0 else 0.0


def _relu(number: float) -> float:
    return max(number, 0.0)


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
    "Max": max,
    "Min": min,
}
"""Functions by their name in expressions. All names except sigmoid, softplus and relu are also sympy's."""

CONSTANTS = {"pi": math.pi}
