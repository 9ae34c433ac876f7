"""The texts of the `attributes` style: what figures.md and torch's semantics say must stand in the picture."""

# ruff: noqa: RUF001 (figures have the minus sign)
from __future__ import annotations

import math
from typing import Any

import columns
import graphs
import pytest
import torch
from geometry import problems

import inspector
from inspector.export.gradient_table import table
from inspector.figure import draw
from inspector.graph import Graph, from_rows, to_rows, unknown
from inspector.options import FigureOptions
from inspector.styles import Plan, call_code, figure_title, gradient_table
from inspector.styles.attributes import plan_attributes
from inspector.styles.plan import GroupedPlan, PlannedBox, StyledText
from inspector.styles.subject import Subject
from inspector.styles.value_text import (
    edge_text,
    gradient_text,
    sum_text,
    symbol_text,
    value_inline,
    value_lines,
)


def plan(graph: Graph, moment: str, **look: Any) -> Plan:
    return plan_attributes(Subject(graph, moment, call_code(graph), FigureOptions(**look)))  # type: ignore[arg-type]


def changed(graph: Graph, name: str, **state: Any) -> Graph:
    """The graph with other attributes of the tensor `name`."""
    rows = to_rows(graph)
    for row in rows["nodes"]:
        if row["name"] == name and row["kind"] == "tensor":
            row.update(state)
    return from_rows(rows)


def card(shown: Plan, name: str) -> PlannedBox:
    return next(box for box in shown.boxes if box.shape == "card" and box.texts[0].text == name)


def row(shown: Plan, name: str, key: str) -> tuple[StyledText, ...]:
    return next(row.lines for row in card(shown, name).rows if row.key == key)


def row_text(shown: Plan, name: str, key: str) -> list[str]:
    return [words.text for words in row(shown, name, key)]


def labels(shown: Plan) -> list[str]:
    return sorted(words.text for wire in shown.wires for words in wire.label)


def plain_texts(shown: Plan) -> list[str]:
    return sorted(words.text for box in shown.boxes if box.shape == "plain" for words in box.texts)


def pills(shown: Plan) -> list[tuple[str, str]]:
    return [(box.texts[0].text, box.badge) for box in shown.boxes if box.shape == "pill"]


EXPECTED = {  # seed: labels of wires, texts at functions, leaf grads after
    "S1": (["2x · 1 = 4"], [], {"x": "None → 4"}),
    "S2": (
        ["1", "1", "1", "2 · 1 = 2", "2x · 1 = 4"],
        ["2 + 4 = 6", "2*x = 4", "x**2 + 2*x = 8", "x**2 = 4"],
        {"x": "None → 6"},
    ),
    "S3": (
        ["1", "1", "2u · 1 = 2", "u · 1 = 1", "v · 1 = 2"],
        ["2 + 2 = 4", "u**2 = 1", "u*v = 2"],
        {"u": "None → 4", "v": "None → 1"},
    ),
    "S4": (
        ["1", "2x · 1 = 0", "2y · (−1) = 0", "−1"],
        ["x**2 = 0", "y**2 = 0"],
        {"x": "None → 0", "y": "None → 0"},
    ),
    "S5": (
        ["1", "2x · 1 = 4", "2y · (−1) = 0", "−1"],
        ["x**2 = 4", "y**2 = 0"],
        {"x": "None → 4", "y": "None → 0"},
    ),
}


@pytest.mark.parametrize("seed", EXPECTED)
def test_seed_after_backward(seed: str) -> None:
    shown = plan(graphs.SEEDS[seed](), "after")
    wires, texts, grads = EXPECTED[seed]
    assert labels(shown) == sorted(wires)
    assert plain_texts(shown) == sorted(texts)
    for leaf, text in grads.items():
        assert row_text(shown, leaf, "grad") == [text]
        assert all(words.ink == "gradient" and words.face == "bold" for words in row(shown, leaf, "grad"))
        assert card(shown, leaf).rows[1].fill == "changed"


@pytest.mark.parametrize("seed", EXPECTED)
def test_seed_before_backward(seed: str) -> None:
    shown = plan(graphs.SEEDS[seed](), "before")
    cards = [box for box in shown.boxes if box.shape == "card"]
    for box in cards:
        assert row(shown, box.texts[0].text, "grad") == (StyledText("None", "quiet"),)
    assert labels(shown) == []
    assert {wire.ink for wire in shown.wires} == {"line"}
    assert not any(badge for _, badge in pills(shown))
    assert "badge" not in {entry.sign for entry in shown.legend}


def test_the_root_and_the_leaf_of_the_saddle() -> None:
    shown = plan(graphs.saddle(2.0, 0.0), "after")
    keys = ["data", "grad", "grad_fn", "is_leaf", "requires_grad"]
    assert [text for key in keys for text in row_text(shown, "z", key)] == [
        "4", "None (not a leaf)", "SubBackward", "False", "True",
    ]  # fmt: skip
    assert row(shown, "z", "grad")[0].ink == "quiet"
    assert [text for key in keys for text in row_text(shown, "x", key)] == [
        "2", "None → 4", "None", "True", "True",
    ]  # fmt: skip
    assert [words.text for words in card(shown, "z").texts] == ["z", "root"]
    assert [words.text for words in card(shown, "x").texts] == ["x", "leaf"]


def test_functions_carry_the_engines_steps() -> None:
    assert pills(plan(graphs.product_and_square(), "after")) == [
        ("AddBackward", "1"), ("MulBackward", "3"), ("AccumulateGrad", "4"), ("AccumulateGrad", "5"),
        ("PowBackward", "2"),
    ]  # fmt: skip


def test_the_title_names_code_moment_and_call() -> None:
    graph = graphs.saddle(2.0, 0.0)
    assert [words.text for words in plan(graph, "before").title] == ["z = x**2 - y**2", "before", "z.backward()"]
    assert plan(graph, "after").title[1].ink == "gradient"
    assert figure_title(graph, "z.backward()", ["before", "after"]) == (
        "z = x**2 - y**2: before and after z.backward()"
    )


def test_the_description_holds_the_table_of_gradients() -> None:
    table = gradient_table(graphs.saddle(2.0, 0.0)).splitlines()
    assert "x: data 2; grad None → 4" in table
    assert "y: data 0; grad None → 0" in table
    assert "z: data 4; grad None → None (not a leaf)" in table


def test_the_description_before_backward_holds_what_is_known() -> None:
    x, c = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor(3.0)
    x.grad = torch.tensor([5.0, 5.0])
    y = (x * c).sum()
    graph = inspector.trace(y)
    assert gradient_table(graph).splitlines() == [
        "tensor: data; grad",
        "y: data 9; grad None (not a leaf)",
        "x: data [1, 2]; grad [5, 5]",
    ]
    page = table(gradient_table(graph))
    assert "<td>[1, 2]</td><td>[5, 5]</td></tr>" in page and "grad after" not in page and "?" not in page
    y.backward()
    after = gradient_table(inspector.trace(y)).splitlines()
    assert "x: data [1, 2]; grad [5, 5] → [8, 8]" in after


def test_a_leaf_that_was_frozen_after_the_forward_is_described() -> None:
    w, v = (torch.tensor(number, requires_grad=True) for number in (2.0, 3.0))
    with inspector.record() as recording:
        z = w * v
        w.requires_grad_(False)
        z.backward()
    assert "w: data 2; grad None → None" in gradient_table(recording.calls[0].graph)


def test_a_grad_that_was_there_before_is_added_to() -> None:
    shown = plan(graphs.saddle(2.0, 0.0, grad=4.0), "after")
    assert row_text(shown, "x", "grad") == ["4 → 8"]
    assert row_text(plan(graphs.saddle(2.0, 0.0, grad=4.0), "before"), "x", "grad") == ["4"]


def test_a_grad_that_did_not_change_is_plain() -> None:
    graph = changed(
        graphs.saddle(2.0, 0.0), "x", before={"data": 2.0, "grad": "nan"}, after={"data": 2.0, "grad": "nan"}
    )
    assert row(plan(graph, "after"), "x", "grad") == (StyledText("nan"),)


def test_a_retained_grad_is_shown_as_one() -> None:
    graph = changed(graphs.saddle(2.0, 0.0), "z", after={"data": 4.0, "grad": 1.0}, retains_grad=True)
    assert row_text(plan(graph, "after"), "z", "grad") == ["None → 1"]


def test_an_unknown_value_is_a_question_mark_and_never_none() -> None:
    graph = changed(graphs.saddle(2.0, 0.0), "z", after={"data": unknown("not seen"), "grad": unknown("lost")})
    shown = plan(graph, "after")
    assert row_text(shown, "z", "data") == ["?"]
    assert row_text(shown, "z", "grad") == ["?"]


def test_backward_that_raised() -> None:
    graph = graphs.saddle(2.0, 0.0, error_at="b")
    shown = plan(graph, "after")
    assert [note.text for note in shown.notes] == ["RuntimeError: backward of b failed"]
    assert plan(graph, "before").notes == ()
    assert [badge for _, badge in pills(shown)] == ["1", "", "", "2", ""]
    assert labels(shown) == ["1", "−1"]
    assert sorted(wire.ink for wire in shown.wires if not wire.dashed) == ["gradient"] * 2 + ["line"] * 2
    assert row_text(shown, "x", "grad") == ["None"]


def test_a_leaf_that_is_a_root() -> None:
    shown = plan(graphs.leaf_root(), "after")
    assert [words.text for words in card(shown, "x").texts] == ["x", "root, leaf"]
    assert row_text(shown, "x", "grad") == ["None → 1"]


def test_named_intermediates_are_cards_and_hang_on_their_functions() -> None:
    graph = graphs.fan_out()
    shown = plan(graph, "after")
    assert [words.text for words in card(shown, "h").texts] == ["h", ""]
    assert shown.hanging[card(shown, "h").id] == graph[card(shown, "h").id]["grad_fn"]
    assert "7.389 + 4 + (−0.4161) = 10.97" in plain_texts(shown)


def test_saved_constants_are_not_drawn() -> None:
    rows = to_rows(graphs.square())
    constant = dict(rows["nodes"][3], id="t9", name="exponent", requires_grad=False)
    rows["nodes"].append(constant)
    rows["edges"].append({"source": "n0", "target": "t9", "kind": "saved", "name": "other"})
    shown = plan(from_rows(rows), "after")
    assert "t9" not in {box.id for box in shown.boxes}
    assert all("t9" not in (wire.source, wire.target) for wire in shown.wires)


def test_values_larger_than_a_number() -> None:
    summary = {"shape": [64, 784], "dtype": "float32", "norm": 1.25, "mean": 0.0, "min": 0.0, "max": 1.0,
               "zeros": 0, "nans": 0, "infinities": 0}  # fmt: skip
    graph = changed(graphs.square(), "x", before={"data": summary, "grad": None},
                    after={"data": [[1, 2], [3, 4]], "grad": summary})  # fmt: skip
    assert row(plan(graph, "before"), "x", "data") == (
        StyledText("float32[64, 784]"),
        StyledText("norm 1.25", "quiet"),
    )
    after = plan(graph, "after")
    assert row_text(after, "x", "data") == ["[1, 2]", "[3, 4]"]
    assert row_text(after, "x", "grad") == ["None → float32[64, 784]", "norm 1.25"]


def test_value_lines() -> None:
    assert value_lines([1.0, 2.0], "float32", [2]) == ("[1, 2]",)
    assert value_lines([3.0, 4.0, 0.0, 0.0], "float32", [4]) == ("float32[4]", "norm 5")
    assert value_lines([], "float32", [0]) == ("float32[0]",)
    assert value_lines([[[1.0]]], "float32", [1, 1, 1]) == ("float32[1, 1, 1]", "norm 1")
    assert value_inline([[1, 2], [3, 4]], "float32", [2, 2]) == "[[1, 2], [3, 4]]"


@pytest.mark.parametrize(
    ("expression", "shown"),
    [("2*x", "2x"), ("3*x**2", "3x²"), ("x*y", "x·y"), ("2*x + 1", "(2x + 1)"), ("-sin(x)", "(−sin(x))"),
     ("x**(n - 1)", "x**(n − 1)"), ("1/x", "1/x"), ("2", "2"), ("exp(-x)", "exp(−x)"), ("w1", "w1")],
)  # fmt: skip
def test_symbols_are_written_as_by_hand(expression: str, shown: str) -> None:
    assert symbol_text(expression) == shown


def test_a_product_is_shown_only_where_it_holds() -> None:
    local = {"symbol": "2*x", "value": 4.0}
    assert edge_text(4.0, local, 1.0) == "2x · 1 = 4"
    assert edge_text(4.0, local, 1.1) == "4"
    assert edge_text(4.0 * (1 + 1e-8), local, 1.0) == "2x · 1 = 4"
    assert edge_text(4.0, None, 1.0) == "4"
    assert edge_text(4.0, local, unknown("not seen")) == "4"
    assert edge_text(-1.0, {"symbol": "-1", "value": -1.0}, 1.0) == "−1"
    assert edge_text(unknown("not seen"), local, 1.0) == ""
    assert edge_text(math.nan, {"symbol": "x", "value": math.nan}, 1.0) == "nan"


def test_a_long_symbol_does_not_push_the_gradient_out() -> None:
    text = edge_text(2.0, {"symbol": "w" * 200, "value": 2.0}, 1.0)
    assert text.endswith("… · 1 = 2")
    assert len(text) < 40


def test_larger_gradients_are_norms() -> None:
    assert gradient_text([1.0, 2.0]) == "[1, 2]"
    assert gradient_text([[3.0, 0.0], [0.0, 4.0]]) == "‖g‖ = 5"
    assert gradient_text({"norm": 0.123, "shape": [9, 9], "dtype": "float32"}) == "‖g‖ = 0.123"
    assert gradient_text(None) == ""


def test_sums_of_contributions() -> None:
    assert sum_text([2.0, 2.0], 4.0) == "2 + 2 = 4"
    assert sum_text([2.0, -1.0], 1.0) == "2 + (−1) = 1"
    assert sum_text([2.0, 2.0], 5.0) == ""
    assert sum_text([4.0], 4.0) == ""
    assert sum_text([2.0, unknown("not seen")], 4.0) == ""
    assert sum_text([1.0] * 6, 6.0) == "1 + 1 + 1 + … = 6"


# ---- leaves that many functions use ------------------------------------------------------------------------


def uses_of_shared(graph: Graph) -> tuple[str, list[str]]:
    """The AccumulateGrad that most functions use, and these."""
    users: dict[str, list[str]] = {}
    for source, target, _ in graph.edges("next"):
        if graph[target]["is_leaf"]:
            users.setdefault(target, []).append(source)
    return max(users.items(), key=lambda item: len(item[1]))


@pytest.mark.parametrize("detail", [None, "standard", "expert"])
def test_a_leaf_that_many_functions_of_a_large_graph_use_is_a_chip_on_each_but_one(detail: Any) -> None:
    graph = columns.loop(12)
    leaf, users = uses_of_shared(graph)
    assert len(users) == 12
    shown = plan(graph, "after", detail=detail)
    taken = next(target for source, target, _ in graph.edges("accumulate") if source == leaf)
    wired = [wire.source for wire in shown.wires if wire.target in (leaf, taken) and not wire.dashed]
    chips = [box.id for box in shown.boxes if box.id.startswith(f"{leaf}.n")]
    assert len(wired) == 1 and sorted([*wired, *(shown.hanging[chip] for chip in chips)]) == sorted(users)
    names = {box.texts[0].text for box in shown.boxes if box.id in chips}
    assert names == {graph[taken]["name"]}
    assert any("used by many functions" in entry.text for entry in shown.legend)
    assert {wire.source for wire in shown.wires} >= set(chips)


def test_the_card_stands_where_the_forward_began() -> None:
    graph = columns.loop(12)
    leaf, users = uses_of_shared(graph)
    shown = plan(graph, "before")
    hosts = {shown.hanging[box.id] for box in shown.boxes if box.id.startswith(f"{leaf}.n")}
    assert set(users) - hosts == {users[-1]}  # the root's first pass is the forward's last


def test_of_a_small_graph_every_use_is_a_wire() -> None:
    graph = columns.loop(6)
    leaf, _ = uses_of_shared(graph)
    assert not [box for box in plan(graph, "after").boxes if box.id.startswith(f"{leaf}.n")]


def test_a_figure_with_chips_is_sound() -> None:
    figure = draw(columns.loop(30), FigureOptions(style="attributes"))
    assert not problems(figure.scene)


@pytest.mark.parametrize("with_first", [True, False])
def test_what_create_graph_made_is_on_a_ground_beside_the_forward(with_first: bool) -> None:
    """Not if the whole graph is of one backward call."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with inspector.record() as recording:
        y = torch.sin(x).sum()
        (slope,) = torch.autograd.grad(y, x, create_graph=True)
        root = slope**2 + y if with_first else slope
        root.backward(torch.ones(2))
    graph = recording.calls[-1].graph
    made = {key for key, row in graph.functions() if row.get("made_in") == 1}
    shown = plan(graph, "after")
    groups = [set(group) for group in shown.groups] if isinstance(shown, GroupedPlan) else []
    assert made and groups == ([made] if with_first else [])
    svg = draw(graph, FigureOptions(style="attributes")).scene
    assert problems(svg) == []
    assert [box.id for panel in svg.panels for box in panel.grounds] == (
        ["group-1"] * len(svg.panels) if with_first else []
    )


def test_operands_without_a_gradient_are_named_at_their_functions() -> None:
    with inspector.record() as recording:
        x, t = torch.tensor([1.0, -2.0]), torch.tensor(0.5)
        w = torch.tensor([0.3, 0.1], requires_grad=True)
        loss = (1 - (w @ x - t)) * 0.5
        loss.backward()
    graph = recording.calls[0].graph
    lines = {tuple(words.text for words in box.texts) for box in plan(graph, "after").boxes if box.shape == "pill"}
    assert lines >= {("DotBackward", "with x"), ("SubBackward", "with t"), ("MulBackward",), ("RsubBackward",)}
    signs = {name for name, _ in pills(plan(graph, "after", detail="beginner"))}
    assert signs == {"· x", "− t", "1−", "×0.5"}
