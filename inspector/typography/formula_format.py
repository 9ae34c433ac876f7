"""Write a sympy formula as in a textbook: `2*x**2` as 2x², `sigmoid(p)` with a Greek sigma."""

from __future__ import annotations

import re

from inspector.typography.number_format import MINUS

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_FUNCTIONS = {
    "sigmoid": "\N{GREEK SMALL LETTER SIGMA}",
    "Max": "max",
    "Min": "min",
    "loggamma": "lgamma",
    "ceiling": "ceil",
}
_POWER_OF_FUNCTION = ("sin", "cos", "tan", "sinh", "cosh", "tanh", "log")
"""Functions whose square is written before the argument: `tanh²(x)`."""

_CALL = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\(")
_POWER = re.compile(r"\*\*(\d+)(?![\d.]*[\w(])")
_COEFFICIENT = re.compile(r"(?<![\w.])(\d+)\*(?=[^\W\d]|[(√|])")  # 2*x as 2x, but x2*y as x2·y
_BRACKETS = re.compile(r"\)([⁰¹²³⁴⁵⁶⁷⁸⁹]*)\*\(")
_PI = re.compile(r"(?<![\w.])(?:math|np|numpy|torch)\.pi(?!\w)")


def format_source(code: str) -> str:
    """Source text in mathematical notation. Names are unchanged, also `pi`; `math.pi` is π."""
    return _format(_PI.sub("π", code))


def format_formula(formula: str) -> str:
    """The formula in mathematical notation. Names are unchanged."""
    return _format(re.sub(r"(?<![\w.])pi(?!\w)", "π", formula))


def _format(formula: str) -> str:
    text = _functions(formula)
    text = _POWER.sub(lambda match: match.group(1).translate(_SUPERSCRIPTS), text)
    text = _COEFFICIENT.sub(r"\1", text)
    text = _BRACKETS.sub(r")\1(", text)
    text = re.sub(r"(?<!\*)\*(?!\*)", "·", text)
    return text.replace("-", MINUS)


def is_sum(text: str) -> bool:
    """Whether the text has a plus or a minus outside of brackets, apart from a leading sign."""
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        after_operator = text[:position].rstrip().endswith(("*", "·", "/", "e", "E"))
        if position and depth == 0 and letter in ("+", "-", MINUS) and not after_operator:
            return True
    return False


def _functions(text: str) -> str:
    """Function calls in mathematical notation, innermost first."""
    position = 0
    while (call := _CALL.search(text, position)) is not None:
        end = _closing(text, call.end() - 1)
        if end is None:
            return text
        name, inner = call.group(1), _functions(text[call.end() : end])
        rest = text[end + 1 :]
        power = _POWER.match(rest)
        if name in _POWER_OF_FUNCTION and power is not None:
            name += power.group(1).translate(_SUPERSCRIPTS)
            rest = rest[power.end() :]
        written = _call(name, inner)
        text = text[: call.start()] + written + rest
        position = call.start() + len(written)
    return text


def _call(name: str, inner: str) -> str:
    if name == "sqrt":
        return f"√{inner}" if re.fullmatch(r"\w+", inner) else f"√({inner})"
    if name == "Abs":
        return f"|{inner}|"
    if name == "Eq":
        return f"1({' = '.join(inner.split(', ', 1))})"
    if name == "besseli":
        order, _, argument = inner.partition(", ")
        return f"I{order.translate(_SUBSCRIPTS)}({argument})"
    if name == "Heaviside":
        return f"1({_condition(inner)})"
    return f"{_FUNCTIONS.get(name, name)}({inner})"


def _condition(inner: str) -> str:
    """`y > z` for the argument y - z of a step function, as CS224N writes the derivative of a maximum."""
    depth = 0
    splits = []
    for position, letter in enumerate(inner):
        depth += (letter in "([") - (letter in ")]")
        if depth == 0 and position and letter in "+-" and inner[position - 1] == " ":
            splits.append(position)
    if len(splits) == 1 and inner[splits[0]] == "-":
        return f"{inner[: splits[0]].rstrip()} > {inner[splits[0] + 1 :].lstrip()}"
    return f"{inner[1:]} < 0" if inner.startswith("-") and not splits else f"{inner} > 0"


def _closing(text: str, opening: int) -> int | None:
    """The position of the bracket that closes the one at `opening`."""
    depth = 0
    for position in range(opening, len(text)):
        depth += (text[position] == "(") - (text[position] == ")")
        if depth == 0:
            return position
    return None
