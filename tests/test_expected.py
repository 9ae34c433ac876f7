"""What the figures of the five seeds say, in every style, from their scripts: the texts worked out by hand."""

# ruff: noqa: RUF001 (figures have the minus sign)
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golden import FOLDER
from pictured import boxes, labels, panel_texts, plan
from running import ScriptRunner

from inspector.figure import draw
from inspector.graph import Graph
from inspector.options import STYLE_NAMES, FigureOptions
from inspector.report import load
from inspector.styles import Plan
from inspector.typography import format_number

SEEDS = json.loads((Path(__file__).parent / "data" / "seeds_expected.json").read_text("utf-8"))
SCRIPTS = {"sq": "square", "poly": "polynomial", "uv": "product"} | {
    "saddle00": "saddle_origin", "saddle20": "saddle"
}  # fmt: skip
TOTALS = {  # the total derivatives, as sums over paths
    "sq": {"∂y/∂x = 2x = 4"},
    "poly": {"∂z/∂x = 1 · 1 · 4 + 1 · 1 · 2 = 6"},
    "uv": {"∂f/∂u = 1 · 2 + 1 · 2 = 4", "∂f/∂v = 1 · 1 = 1"},
    "saddle00": {"∂z/∂x = 1 · 0 = 0", "∂z/∂y = (−1) · 0 = 0"},
    "saddle20": {"∂z/∂x = 1 · 4 = 4", "∂z/∂y = (−1) · 0 = 0"},
}


@pytest.fixture(params=SEEDS, ids=lambda seed: seed["id"])
def seed(request: pytest.FixtureRequest) -> Any:
    return request.param


def graph_of(seed: Any) -> Graph:
    """test_gallery.py asserts that the golden report is what the script gives."""
    return load(FOLDER / f"{SCRIPTS[seed['id']]}.json").calls[0].graph


def shown(seed: Any, style: str) -> Plan:
    return plan(graph_of(seed), "after", style)


def cards(drawn: Plan) -> dict[str, dict[str, str]]:
    """Name of a tensor → key of a row → its value."""
    return {
        box.texts[0].text: {row.key: row.lines[0].text for row in box.rows}
        for box in drawn.boxes
        if box.shape == "card"
    }


def leaves(seed: Any) -> dict[str, float]:
    return {name: seed["after"][name]["grad_default"] for name in seed["inputs"]}


def test_attributes(seed: Any) -> None:
    found = cards(shown(seed, "attributes"))
    for name, gradient in leaves(seed).items():
        data = format_number(seed["before"][name]["data"])
        assert found[name] == {
            "data": data, "grad": f"None → {format_number(gradient)}", "grad_fn": "None",
            "is_leaf": "True", "requires_grad": "True",
        }  # fmt: skip
    out = seed["out"]
    assert found[out]["data"] == format_number(seed["before"][out]["data"])
    assert found[out]["grad"] == "None (not a leaf)"
    assert found[out]["is_leaf"] == "False"


def test_before_every_grad_is_none(seed: Any) -> None:
    assert {card["grad"] for card in cards(plan(graph_of(seed), "before", "attributes")).values()} == {"None"}


@pytest.mark.parametrize("style", ["attributes", "engine"])
def test_every_step_is_written_at_its_edge(seed: Any, style: str) -> None:
    """The product where there is a symbol, else the gradient."""
    texts = labels(shown(seed, style))
    for step in (step for step in seed["steps"] if "to" in step):
        result = format_number(step["downstream"])
        assert any(text == result or text.endswith(f" = {result}") for text in texts), (step, texts)
    assert len(texts) == sum("to" in step for step in seed["steps"])


def test_circuit(seed: Any) -> None:
    drawn = shown(seed, "circuit")
    texts = labels(drawn)
    for name in (*seed["inputs"], seed["out"]):
        assert name in boxes(drawn, "name")
        assert format_number(seed["before"][name]["data"]) in texts
    for gradient in leaves(seed).values():
        assert any(
            text == format_number(gradient) or text.endswith(f"= {format_number(gradient)}") for text in texts
        )


def test_partials(seed: Any) -> None:
    drawn = shown(seed, "partials")
    for name in seed["inputs"]:
        assert f"{name} = {format_number(seed['before'][name]['data'])}" in boxes(drawn, "box")
    assert TOTALS[seed["id"]] <= {words.text for words in drawn.notes} | set(labels(drawn))


def test_record(seed: Any) -> None:
    """The gradient that reached a tensor, of four decimals, as micrograd has it."""
    found = set(boxes(shown(seed, "record"), "record"))
    for name in (*seed["inputs"], seed["out"]):
        data, gradient = seed["before"][name]["data"], seed["after"][name]["grad_all"]
        assert f"{name}|data {data:.4f}|grad {gradient + 0.0:.4f}".replace("-", "−") in found


def test_engine(seed: Any) -> None:
    found = set(boxes(shown(seed, "engine"), "box"))
    for name, gradient in leaves(seed).items():
        assert (
            f"{name} = {format_number(seed['before'][name]['data'])}|grad None → {format_number(gradient)}"
            in found
        )
    assert f"{seed['out']} = {format_number(seed['before'][seed['out']]['data'])}|grad None" in found


def test_modules_and_torchviz(seed: Any) -> None:
    assert f"{seed['out']} = {format_number(seed['before'][seed['out']]['data'])}|root" in boxes(
        shown(seed, "modules"), "box"
    )
    drawn = shown(seed, "torchviz")
    texts = {words.text for box in drawn.boxes for words in box.texts}
    assert {*seed["inputs"], "AccumulateGrad"} <= texts
    assert len(drawn.boxes) == len(list(graph_of(seed).functions())) + len(seed["inputs"]) + 1


@pytest.mark.parametrize("style", STYLE_NAMES)
def test_a_tensor_full_of_nan(style: str, inspect_script: ScriptRunner) -> None:
    ran = inspect_script(
        "import torch\n"
        "x = torch.full((4, 4), float('nan'), requires_grad=True)\n"
        "loss = (x * 2).sum()\nloss.backward()\n"
    )
    assert (ran.status, ran.said) == (0, [])
    drawn = draw(load(ran.folder / "inspect-out" / "report.json").calls[0].graph, FigureOptions(style=style))
    texts = " ".join(panel_texts(drawn.panels["after"].panels[0]))
    assert style == "torchviz" or "nan" in texts.lower()
