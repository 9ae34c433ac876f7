"""A part of `python tests/sweep.py`: torch's databases under the recorder."""

from __future__ import annotations

import pytest
from sweep import DATABASES, Tally, sweep

MODULES = ["nn.Embedding", "nn.Conv2d", "nn.BatchNorm1d", "nn.LSTMCell", "nn.GRUCell", "nn.MultiheadAttention"]
LOSSES = ["nn.CosineEmbeddingLoss", "nn.CrossEntropyLoss", "nn.HuberLoss", "nn.KLDivLoss", "nn.MSELoss"]
OPERATORS = ["addmm", "cumprod", "einsum", "nn_functional_scaled_dot_product_attention", "prod", "reshape"]


DRAWN = ["baddbmm", "cdist", "cumsum", "gather", "index_put", "kron", "logsumexp", "nn_functional_conv1d", "topk"]
"""Operators with several inputs, several outputs, indices, constants, and steps inside."""


def found(database: str, names: list[str], most: int = 2) -> Tally:
    samples = [sample for name in names for sample in DATABASES[database](name, most)]
    assert samples
    return sweep(samples)


@pytest.mark.parametrize("names", [MODULES, LOSSES], ids=["modules", "losses"])
def test_modules_of_torchs_database(names: list[str]) -> None:
    tally = found("modules", names)
    assert tally.wrong == []
    assert tally.known == tally.nodes > 50


def test_operators_of_torchs_database() -> None:
    tally = found("operators", OPERATORS)
    assert tally.wrong == []
    assert tally.checked > 30


def test_custom_functions_of_torchs_database() -> None:
    tally = found("functions", [""], most=1)
    assert tally.wrong == []
    assert tally.nodes > 20


def test_pictures_of_operators_in_every_style() -> None:
    """They are valid XML, nothing overlaps, and no text is cut."""
    samples = [next(DATABASES["operators"](name, 1)) for name in DRAWN]
    tally = sweep(samples, draws=True)
    assert tally.wrong == []
    assert tally.checked >= len(DRAWN)


@pytest.mark.slow
@pytest.mark.parametrize(("database", "least"), [("modules", 0.97), ("operators", 0.95), ("functions", 0.88)])
def test_whole_databases(database: str, least: float) -> None:
    """What is missing is memory that torch did not initialise, and inner steps of transforms and of NumPy."""
    tally = found(database, [""])
    assert tally.wrong == []
    assert tally.known >= least * tally.nodes


@pytest.mark.slow
def test_pictures_of_all_operators_in_every_style() -> None:
    tally = sweep(DATABASES["operators"]("", 1), draws=True)
    assert tally.wrong == []
    assert tally.checked > 1_000
