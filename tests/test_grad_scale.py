"""A GradScaler's scale is divided out of what is shown, and of what is shown only."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import inspector
from inspector.figure import draw
from inspector.graph.grad_scale import divide_by_scale, without_grad_scale
from inspector.options import FigureOptions
from inspector.terminal import lines
from inspector.terminal.print_call import Shown


@pytest.fixture
def scaled() -> Any:
    x = torch.tensor(3.0, requires_grad=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with inspector.record() as recording:
        loss = x**2
        scaler.scale(loss).backward()
    return recording.report()


def test_gradients_are_those_of_the_loss_and_the_report_keeps_torchs(scaled: Any) -> None:
    call = scaled.calls[0]
    assert call.setting.scale == 1024.0
    (leaf,) = [row for _, row in call.graph.tensors() if row["name"] == "x"]
    assert leaf["after"]["grad"] == 6.0 * 1024.0
    shown = without_grad_scale(call.graph, call.setting.scale)
    (leaf,) = [row for _, row in shown.tensors() if row["name"] == "x"]
    assert leaf["after"]["grad"] == 6.0 and leaf["gradient"] == 6.0
    assert [edge["gradient"] for _, _, edge in shown.edges("accumulate")] == [6.0]
    assert shown.steps == call.graph.steps


def test_the_terminal_and_the_picture_say_so(scaled: Any) -> None:
    call = scaled.calls[0]
    said = "\n".join(line.plain for line in lines(scaled, Shown([call.index]), 100))
    assert "all gradients are divided by the GradScaler's scale, 1024" in said
    assert "None → 6" in said and "6144" not in said
    scene = draw(without_grad_scale(call.graph, call.setting.scale), FigureOptions()).panels["after"]
    texts = [text.text for box in scene.panels[0].boxes for text in box.texts]
    assert "gradients divided by the loss scale 1024" in texts
    assert not any("6144" in text for text in texts)


def test_values_of_every_kind() -> None:
    assert divide_by_scale([2.0, [4.0, None]], 2.0) == [1.0, [2.0, None]]
    assert divide_by_scale({"unknown": "not asked"}, 2.0) == {"unknown": "not asked"}
    summary = {"shape": [20], "dtype": "float32", "norm": 4.0, "mean": 1.0, "zeros": 3, "histogram": {}}
    assert divide_by_scale(summary, 2.0) == {
        "shape": [20],
        "dtype": "float32",
        "norm": 2.0,
        "mean": 0.5,
        "zeros": 3,
    }
    assert math.isinf(divide_by_scale(math.inf, 2.0))


def test_without_a_scale_the_graph_is_itself(scaled: Any) -> None:
    graph = scaled.calls[0].graph
    assert without_grad_scale(graph, None) is graph
