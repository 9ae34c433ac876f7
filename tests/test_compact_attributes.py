"""The denser ways to draw the `attributes` style on a slide."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from geometry import problems, texts

import inspector
from inspector.figure import Figure, draw
from inspector.graph import Graph
from inspector.graph.model import MOMENTS, Moment
from inspector.options import FigureOptions
from inspector.styles import Plan
from inspector.styles.compact_attributes import plan_data_and_grad, plan_one_line
from inspector.styles.subject import Subject

SLIDE = (960.0, 540.0)


@cache
def layer() -> Graph:
    W = torch.tensor([[0.5, -0.3, 1.0], [0.8, 0.1, -1.0]], requires_grad=True)
    s = torch.tensor(2.0, requires_grad=True)
    with inspector.record() as recording:
        h = W @ torch.tensor([1.0, -2.0, 0.5])
        y = s * torch.tanh(h).sum()
        y.backward()
    graph: Graph = recording.calls[0].graph
    return graph


@cache
def retained() -> Graph:
    s = torch.tensor(2.0, requires_grad=True)
    with inspector.record() as recording:
        h = s * 3
        h.retain_grad()
        y = h**2
        y.backward()
    graph: Graph = recording.calls[0].graph
    return graph


@cache
def polynomial(degree: int) -> Graph:
    a = [torch.tensor(0.5 * number, requires_grad=True) for number in range(1, degree + 1)]
    with inspector.record() as recording:
        y = torch.tensor(0.0)
        for number, factor in enumerate(a):
            y = y + factor * 0.5**number
        y.backward()
    graph: Graph = recording.calls[0].graph
    return graph


def subject(graph: Graph, moment: Moment) -> Subject:
    return Subject(graph, moment, "y.backward()", FigureOptions(style="attributes"))


def rows(plan: Plan) -> dict[str, list[str]]:
    """The name of each card and the keys of its rows."""
    return {box.texts[0].text: [row.key for row in box.rows] for box in plan.boxes if box.shape == "card"}


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_all_tensors_have_in_common_is_said_once(moment: Moment) -> None:
    plan = plan_data_and_grad(subject(layer(), moment))
    assert rows(plan) == {"W": ["data", "grad"], "s": ["data", "grad"], "h": ["data"], "y": ["data"]}
    said = [words.text for words in plan.notes]
    assert "leaves: grad_fn None, is_leaf True, requires_grad True" in said
    none = "None (not a leaf)" if moment == "after" else "None"
    assert f"other tensors: grad {none}, is_leaf False, requires_grad True" in said


def test_a_grad_that_a_tensor_keeps_has_its_row() -> None:
    for moment in MOMENTS:
        assert "grad" in rows(plan_data_and_grad(subject(retained(), moment)))["h"]


def test_one_line_has_shapes_and_norms() -> None:
    graph = layer()
    plan = plan_one_line(subject(graph, "after"))
    lines = {words.text for box in plan.boxes if box.shape == "chip" for words in box.texts}
    W, s, x = torch.tensor([[0.5, -0.3, 1.0], [0.8, 0.1, -1.0]]), 2.0, torch.tensor([1.0, -2.0, 0.5])
    norm = torch.outer(s * (1 - torch.tanh(W @ x) ** 2), x).norm().item()
    assert f"W 2×3  grad ‖{norm:.4g}‖" in lines  # noqa: RUF001
    assert "h [2]" in lines
    (line,) = [text for text in lines if text.startswith("s = 2  grad")]
    assert float(line.split()[-1].replace("\N{MINUS SIGN}", "-")) == pytest.approx(
        torch.tanh(W @ x).sum().item(), rel=1e-3
    )
    assert all(len(words.text) <= 10 for wire in plan.wires for words in wire.label), "norms on the edges"


def _slide(style: str | None) -> Figure:
    return draw(polynomial(4), FigureOptions(style=style, canvas="16:9"))  # type: ignore[arg-type]


def test_the_style_that_was_asked_for_stays_and_a_note_says_what_is_left_out() -> None:
    asked, free = _slide("attributes"), _slide(None)
    assert asked.remarks == ("one line for each tensor, to fit the canvas",)
    assert free.remarks and free.remarks[0].startswith("drawn as a circuit")
    for scene in asked.panels.values():
        assert (scene.width, scene.height) == SLIDE and not problems(scene)
        assert min(text.size for panel in scene.panels for _, text in texts(panel)) >= 14
