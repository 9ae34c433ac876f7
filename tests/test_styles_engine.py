"""The `engine` style: every Node with its steps, what it saved, its formulas and its empty slots."""

# ruff: noqa: RUF001 (figures have the minus sign)
from __future__ import annotations

from typing import Any

import graphs
import pytest
from pictured import badges, labels, plan

from inspector.graph import from_rows, to_rows


def rows_of(shown: Any, identifier: str) -> dict[str, str]:
    (box,) = [box for box in shown.boxes if box.id == identifier]
    return {row.key: " ".join(words.text for words in row.lines) for row in box.rows}


EDGES = {  # seed: what flowed; steps by id of the Node
    "S1": (["2x · 1 = 4"], {"n0": "1", "n1": "2"}),
    "S2": (["1", "1", "1", "2 · 1 = 2", "2x · 1 = 4"], {"n0": "1", "n1": "2", "n2": "4", "n3": "5", "n4": "3"}),
    "S3": (
        ["1", "1", "2u · 1 = 2", "u · 1 = 1", "v · 1 = 2"],
        {"n0": "1", "n1": "3", "n2": "4", "n3": "5", "n4": "2"},
    ),
    "S4": (["1", "2x · 1 = 0", "2y · (−1) = 0", "−1"], {"n0": "1", "n1": "4", "n2": "5", "n3": "2", "n4": "3"}),
    "S5": (["1", "2x · 1 = 4", "2y · (−1) = 0", "−1"], {"n0": "1", "n1": "4", "n2": "5", "n3": "2", "n4": "3"}),
}


@pytest.mark.parametrize("seed", EDGES)
def test_seed_after_backward(seed: str) -> None:
    shown = plan(graphs.SEEDS[seed](), "after", "engine")
    wires, steps = EDGES[seed]
    assert labels(shown) == sorted(wires)
    assert badges(shown) == steps


def test_all_that_a_node_holds() -> None:
    rows = to_rows(graphs.square())
    rows["nodes"][0] |= {
        "saved": [{"name": "self", "tensor": "t1", "before": "held", "after": "released"}],
        "formula": {"self": "pow_backward(grad, self, exponent)"},
        "empty_slots": [1],
    }
    graph = from_rows(rows)
    found = rows_of(plan(graph, "after", "engine"), "n0")
    assert found["exponent"] == "2"
    assert found["saved self"] == "x = 2, released"
    assert found["slot 1"] == "no next function"
    assert found["∂ self"].replace("\N{NO-BREAK SPACE}", "") == "pow_backward(grad, self, exponent)"
    assert rows_of(plan(graph, "before", "engine"), "n0")["saved self"] == "x = 2, held"


def test_full_names_and_grads_of_leaves() -> None:
    shown = plan(graphs.square(), "after", "engine")
    texts = {box.id: [words.text for words in box.texts] for box in shown.boxes}
    assert texts["n0"] == ["PowBackward0"]
    assert texts["t1"] == ["x = 2", "grad None → 4"]
    assert texts["t0"] == ["y = 4", "grad None"]
