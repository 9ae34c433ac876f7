"""How figures and the terminal write numbers."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.graph import unknown
from inspector.typography import format_number, shape_text, value_text
from inspector.typography.number_format import MINUS

NAN, INFINITY = math.nan, math.inf


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.0, "2"),
        (-1.0, "-1"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.7310585786300049, "0.7311"),
        (0.10000000149011612, "0.1"),  # 0.1 in float32
        (11.65207, "11.65"),
        (9999.4, "9999"),
        (9999.7, "1e4"),
        (12345.0, "12345"),
        (12345, "12345"),
        (-999_999, "-999999"),
        (1_000_000.0, "1e6"),
        (1_234_567, "1.235e6"),
        (12345.6, "1.235e4"),
        (0.0001234, "0.0001234"),
        (0.00001234, "1.234e-5"),
        (-1e-320, "-1e-320"),
        (10**400, "1e400"),
        (NAN, "nan"),
        (INFINITY, "inf"),
        (-INFINITY, "-inf"),
        (True, "True"),
        (False, "False"),
        (1 + 2j, "1 + 2i"),
        (complex(-0.5, -2), "-0.5 - 2i"),
        (complex(0.0, -0.0), "0 + 0i"),
        (complex(NAN, -INFINITY), "nan - inf i"),
    ],
)
def test_a_number(value: complex, text: str) -> None:
    assert format_number(value) == text.replace("-", MINUS)


def read(text: str) -> float:
    return float(text.replace(MINUS, "-"))


@given(st.floats(min_value=-1e308, max_value=1e308))
def test_a_float_read_back_agrees_to_four_digits(value: float) -> None:
    # A subnormal float has fewer digits of its own, hence the absolute tolerance.
    assert read(format_number(value)) == pytest.approx(value, rel=5.001e-4, abs=5e-324)


@given(st.integers(min_value=-(10**300), max_value=10**300))
def test_an_integer_read_back_agrees_to_four_digits_and_small_ones_exactly(value: int) -> None:
    shown = read(format_number(value))
    assert shown == (value if abs(value) < 10**6 else pytest.approx(value, rel=5.001e-4))


@given(st.floats() | st.integers() | st.booleans())
def test_a_number_is_short_and_has_its_minus(value: float) -> None:
    text = format_number(value)
    assert "-" not in text
    assert len(text) <= 11 or isinstance(value, int)
    assert not re.search(r"\.\d*0(e|$)", text)


def summary(norm: float) -> dict[str, object]:
    return {"shape": [64, 784], "dtype": "float32", "norm": norm, "mean": 0.0, "min": 0.0, "max": 1.0}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (unknown("not recorded"), "?"),
        (4.0, "4"),
        (True, "True"),
        ([], "[]"),
        ([1.0, 2.0, -0.0], "[1, 2, 0]"),
        ([[1.0, 2.5], [3.0, 4.0]], "[[1, 2.5], [3, 4]]"),
        ([4.0, None, unknown("released")], "[4, None, ?]"),  # a function with several outputs
        (summary(1.23456), "float32[64, 784] norm 1.235"),
        (summary(NAN), "float32[64, 784] norm nan"),
        ("mean", "mean"),
    ],
)
def test_a_value(value: object, text: str) -> None:
    assert value_text(value) == text


def test_a_shape() -> None:
    assert shape_text("float32", [64, 784]) == "float32[64, 784]"
    assert shape_text("int64", []) == "int64"
    assert shape_text("bool", [0]) == "bool[0]"
