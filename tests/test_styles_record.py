"""The `record` style: `name | data v | grad g` with four decimals, constants without grad, small operations."""

# ruff: noqa: RUF001 (figures have the minus sign)
from __future__ import annotations

import math

import graphs
import pytest
from pictured import boxes, plan

from inspector.styles.record import decimals

EXPECTED = {  # seed: records, operations
    "S1": (["x|data 2.0000|grad 4.0000", "y|data 4.0000|grad 1.0000"], ["^2"]),
    "S2": (
        [
            "2*x|data 4.0000|grad 1.0000",
            "data 1.0000",
            "data 2.0000",
            "x**2 + 2*x|data 8.0000|grad 1.0000",
            "x**2|data 4.0000|grad 1.0000",
            "x|data 2.0000|grad 6.0000",
            "z|data 9.0000|grad 1.0000",
        ],
        ["+", "+", "^2", "×"],
    ),
    "S3": (
        [
            "f|data 3.0000|grad 1.0000",
            "u**2|data 1.0000|grad 1.0000",
            "u*v|data 2.0000|grad 1.0000",
            "u|data 1.0000|grad 4.0000",
            "v|data 2.0000|grad 1.0000",
        ],
        ["+", "^2", "×"],
    ),
    "S4": (
        [
            "x**2|data 0.0000|grad 1.0000",
            "x|data 0.0000|grad 0.0000",
            "y**2|data 0.0000|grad −1.0000",
            "y|data 0.0000|grad 0.0000",
            "z|data 0.0000|grad 1.0000",
        ],
        ["^2", "^2", "−"],
    ),
    "S5": (
        [
            "x**2|data 4.0000|grad 1.0000",
            "x|data 2.0000|grad 4.0000",
            "y**2|data 0.0000|grad −1.0000",
            "y|data 0.0000|grad 0.0000",
            "z|data 4.0000|grad 1.0000",
        ],
        ["^2", "^2", "−"],
    ),
}


@pytest.mark.parametrize("seed", EXPECTED)
def test_seed_after_backward(seed: str) -> None:
    shown = plan(graphs.SEEDS[seed](), "after", "record")
    records, operations = EXPECTED[seed]
    assert boxes(shown, "record") == records
    assert boxes(shown, "circle", "pill") == operations


def test_before_backward_grad_is_none() -> None:
    shown = plan(graphs.square(), "before", "record")
    assert boxes(shown, "record") == ["x|data 2.0000|grad None", "y|data 4.0000|grad None"]


def test_grad_of_a_leaf_is_torchs_with_what_was_there_before() -> None:
    shown = plan(graphs.saddle(2.0, 0.0, grad=4.0), "after", "record")
    assert "x|data 2.0000|grad 8.0000" in boxes(shown, "record")


def test_four_decimals() -> None:
    assert decimals(2.0) == "2.0000"
    assert decimals(-0.00001) == "0.0000"
    assert decimals(-0.5) == "−0.5000"
    assert decimals(math.nan) == "nan"
    assert decimals([1.0]) == ""
