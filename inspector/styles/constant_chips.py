"""Chips: small boxes at a gate with a name and a value, such as a constant."""

from __future__ import annotations

from inspector.graph.values import Value
from inspector.options.choices import Values
from inspector.styles.gates import FULL_DIGITS
from inspector.styles.grid_text import ValueLook, value_lines_in_grid
from inspector.styles.operands import Operand
from inspector.styles.plan import MAIN_SIZE, PlannedBox, StyledText
from inspector.styles.shown_name import shown_name
from inspector.styles.source_text import short_formula
from inspector.typography import one_line

_LONGEST_EXPRESSION, _LONGEST_CONDITION = 10, 20
"""Characters of the source text above a value; that of a mask says what True means."""


def constant_chip(operand: Operand, digits: int, form: Values) -> PlannedBox:
    """The chip of a constant. digits: significant digits of its numbers. form: of a tensor."""
    constant = operand.constant or {}
    expression = one_line(str(constant.get("expression") or ""))
    longest = _LONGEST_CONDITION if _is_mask(constant["value"]) else _LONGEST_EXPRESSION
    name = shown_name(constant) or short_formula(expression, longest)
    look = ValueLook("quiet", "medium", "header", digits, form)
    value = value_lines_in_grid(constant["value"], constant.get("shape") or (), look)
    return chip(operand.id, named_lines(name, value, "quiet", digits), "quiet", "header")


def _is_mask(value: Value) -> bool:
    while isinstance(value, list) and value:
        value = value[0]
    return isinstance(value, bool) or (isinstance(value, dict) and value.get("dtype") == "bool")


def chip(identifier: str, lines: tuple[StyledText, ...], ink: str, fill: str) -> PlannedBox:
    """A chip with these lines."""
    return PlannedBox(identifier, "chip", lines, ink=ink, fill=fill)


def named_lines(name: str, value: tuple[StyledText, ...], ink: str, digits: int) -> tuple[StyledText, ...]:
    """`w = 0.9` on one line; a grid below its name, and also a number of few digits, so that a chip is narrow."""
    if len(value) == 1 and type(value[0]) is StyledText and digits >= FULL_DIGITS:
        text = f"{name} = {value[0].text}" if name else value[0].text
        return (StyledText(text, ink, "bold" if name else "medium"),)
    words = (StyledText(name, ink, "bold", MAIN_SIZE),) if name else ()
    return (*words, *value)
