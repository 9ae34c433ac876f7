"""Derivatives that another process computes are those that this one would compute, in the same order of keys."""

import json
import math
from pathlib import Path

import pytest
from graphs import Program, saddle

from inspector.derivatives import add_local_derivatives, add_rows, derive_rows, may_have_symbols
from inspector.graph import from_rows, to_rows

GOLDEN = Path(__file__).parent / "golden"
DERIVED = {"local", "derivative", "alias", "matrix", "closed_form", "computed"}
SMALL = ("baydin", "cs231n_neuron", "micrograd", "polynomial", "product", "saddle", "square")


def without_derivatives(rows):
    kept = {
        kind: [{key: value for key, value in row.items() if key not in DERIVED} for row in rows[kind]]
        for kind in ("nodes", "edges")
    }
    return json.dumps(rows | kept)


def in_both_ways(rows):
    """The rows after derivatives were computed here, and after another process has computed them."""
    here, elsewhere = from_rows(json.loads(rows)), from_rows(json.loads(rows))
    add_local_derivatives(here)
    add_rows(elsewhere, json.loads(json.dumps(derive_rows(to_rows(elsewhere)))))
    return json.dumps(to_rows(here)), json.dumps(to_rows(elsewhere))


def graphs_of_gallery():
    found = sorted(path for path in GOLDEN.glob("*.json") if path.stem.startswith(SMALL))
    assert len(found) >= 5
    return found


@pytest.mark.parametrize("path", graphs_of_gallery(), ids=lambda path: path.stem)
def test_of_a_script_in_the_gallery(path):
    for call in json.loads(path.read_text())["backward_calls"]:
        here, elsewhere = in_both_ways(without_derivatives(call["graph"]))
        assert here == elsewhere


def test_symbols_values_and_totals_are_among_them():
    here, elsewhere = in_both_ways(without_derivatives(to_rows(saddle(2.0, 1.0))))
    assert here == elsewhere and '"symbol": "2*x"' in elsewhere and '"derivative": {"symbol"' in elsewhere


def test_numbers_that_json_does_not_have():
    graph = Program().leaf("x", 0.0).op("y", "LogBackward0", -math.inf, [("x", "1/x", math.inf)]).graph("y")
    here, elsewhere = in_both_ways(without_derivatives(to_rows(graph)))
    assert here == elsewhere


def test_a_graph_without_scalars_needs_no_symbols():
    graph = Program().leaf("x", 2.0).op("y", "MyFunctionBackward", 4.0, [("x", "", 2.0)]).graph("y")
    assert may_have_symbols(saddle(2.0, 1.0)) and not may_have_symbols(graph)
    rows = json.loads(without_derivatives(to_rows(graph)))
    assert all(set(added) <= DERIVED for kind in ("nodes", "edges") for _, added in derive_rows(rows)[kind])
