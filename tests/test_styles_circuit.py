"""The `circuit` style: gates, values above the wires and gradients below, sums where wires branch."""

# ruff: noqa: RUF001 (figures have the minus sign)
from __future__ import annotations

import graphs
import pytest
import torch
from pictured import badges, boxes, labels, plan

import inspector
from inspector.styles.plan import NumberGrid

EXPECTED = {  # seed: gates, names, texts of wires
    "S1": (["^2"], ["x", "y"], ["1", "2", "2x · 1 = 4", "4"]),
    "S2": (
        ["+", "+1", "^2", "×2"],
        ["x", "z"],
        ["1", "1", "1", "1", "2", "2 + 4 = 6", "2 · 1 = 2", "2x = 4", "4", "4", "4 · 1 = 4", "8", "9"],
    ),
    "S3": (
        ["+", "^2", "×"],
        ["f", "u", "v"],
        [*"11111223", "2 + 2 = 4", "2 · 1 = 2", "2 · 1 = 2", "2u = 2", "u · 1 = 1", "v = 2"],
    ),
    "S4": (
        ["^2", "^2", "−"],
        ["x", "y", "z"],
        ["0", "0", "0", "0", "0", "1", "1", "2x · 1 = 0", "2y · (−1) = 0", "−1"],
    ),
    "S5": (
        ["^2", "^2", "−"],
        ["x", "y", "z"],
        ["0", "0", "1", "1", "2", "2x · 1 = 4", "2y · (−1) = 0", "4", "4", "−1"],
    ),
}


@pytest.mark.parametrize("seed", EXPECTED)
def test_seed_after_backward(seed: str) -> None:
    shown = plan(graphs.SEEDS[seed](), "after", "circuit")
    gates, names, wires = EXPECTED[seed]
    assert boxes(shown, "circle", "pill") == gates
    assert boxes(shown, "name") == names
    assert labels(shown) == sorted(wires)


def test_before_backward_there_are_values_only() -> None:
    shown = plan(graphs.product_and_square(), "before", "circuit")
    assert labels(shown) == ["1", "1", "2", "2", "3"]
    assert not badges(shown)
    assert all(words.ink == "value" for wire in shown.wires for words in wire.label)


def test_a_gradient_stands_below_its_value() -> None:
    (wire,) = [wire for wire in plan(graphs.square(), "after", "circuit").wires if wire.id == "n0.0"]
    assert [words.text for words in wire.label] == ["2"]
    assert [(words.text, words.ink) for words in wire.below] == [("2x · 1 = 4", "gradient")]


def test_what_several_gates_read_branches_at_a_dot() -> None:
    shown = plan(graphs.product_and_square(), "after", "circuit")
    (dot,) = [box.id for box in shown.boxes if box.shape == "dot"]
    trunk = next(wire for wire in shown.wires if wire.source == dot)
    assert [words.text for words in trunk.below] == ["2 + 2 = 4"]
    branches = [wire for wire in shown.wires if wire.target == dot]
    assert sorted(wire.label[0].text for wire in branches) == ["2u = 2", "v = 2"]


def test_arrows_point_as_the_values_flow_or_as_is_wished() -> None:
    graph = graphs.square()
    assert {wire.head for wire in plan(graph, "after", "circuit").wires} == {"source"}
    assert {wire.head for wire in plan(graph, "after", "circuit", arrows="backward").wires} == {"target"}


def test_a_computed_constant_is_marked() -> None:
    assert "constant, computed" in str(plan(graphs.polynomial(), "after", "circuit").legend)
    assert "constant, computed" not in str(plan(graphs.product_and_square(), "after", "circuit").legend)


@pytest.mark.parametrize(
    ("wanted", "expected"), [("symbols", "2x"), ("numbers", "4 · 1 = 4"), ("both", "2x · 1 = 4"), ("none", "4")]
)
def test_as_much_of_the_derivative_as_is_wished(wanted: str, expected: str) -> None:
    assert expected in labels(plan(graphs.square(), "after", "circuit", derivatives=wanted))


def test_a_grad_that_was_there_is_added_to() -> None:
    assert boxes(plan(graphs.saddle(2.0, 0.0, grad=4.0), "after", "circuit"), "plain") == ["grad 4 → 8"]


def test_steps_stand_on_gates() -> None:
    assert badges(plan(graphs.product_and_square(), "after", "circuit")) == {"n0": "1", "n1": "3", "n4": "2"}


def test_short_names_in_derivatives_are_explained() -> None:
    graph = graphs.product_and_square()
    graph["n1"]["alias"] = {"name": "v1", "expression": "u·v"}
    for style in ("circuit", "attributes"):
        assert [note.text for note in plan(graph, "after", style).notes] == ["v1 = u·v"]
        assert plan(graph, "before", style).notes == ()
        assert plan(graph, "after", style, derivatives="numbers").notes == ()


def test_short_names_without_an_expression_have_the_code_of_their_number() -> None:
    graph = graphs.product_and_square()
    tensor = next(row for _, row in graph.tensors() if row["grad_fn"] == "n1")
    graph["n1"]["alias"] = {"name": "v1", "expression": None}
    tensor["expression"] = "w.norm()"
    assert [note.text for note in plan(graph, "after", "attributes").notes] == ["v1 = w.norm()"]
    tensor["shape"] = [2]  # then no derivative is written out
    assert plan(graph, "after", "attributes").notes == ()


def test_a_small_matrix_and_its_gradient_are_grids() -> None:
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    with inspector.record() as recording:
        ((weight @ torch.tensor([1.0, -1.0])) ** 2).sum().backward()
    shown = plan(recording.calls[-1].graph, "after", "circuit")
    texts = [words for wire in shown.wires for words in (*wire.label, *wire.below)]
    grids = {words.ink: words.rows for words in texts if isinstance(words, NumberGrid)}
    numbers = {ink: [[float(one.replace("−", "-")) for one in row] for row in rows] for ink, rows in grids.items()}
    assert weight.grad is not None
    assert numbers == {"value": weight.tolist(), "gradient": weight.grad.tolist()}
