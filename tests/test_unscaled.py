"""A GradScaler's scale is divided out of what is shown, and of what is shown only."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import inspector
from inspector.graph.unscaled import divided, unscaled
from inspector.layout import draw
from inspector.look import Look
from inspector.terminal import Shown, lines


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
    shown = unscaled(call.graph, call.setting.scale)
    (leaf,) = [row for _, row in shown.tensors() if row["name"] == "x"]
    assert leaf["after"]["grad"] == 6.0 and leaf["gradient"] == 6.0
    assert [edge["gradient"] for _, _, edge in shown.edges("accumulate")] == [6.0]
    assert shown.steps == call.graph.steps


def test_the_terminal_and_the_picture_say_so(scaled: Any) -> None:
    call = scaled.calls[0]
    said = "\n".join(line.plain for line in lines(scaled, Shown([call.index]), 100))
    assert "the GradScaler's scale 1024 is divided out of all gradients" in said
    assert "None → 6" in said and "6144" not in said
    scene = draw(unscaled(call.graph, call.setting.scale), Look()).panel("after")
    texts = [text.text for box in scene.panels[0].boxes for text in box.texts]
    assert "the scale 1024 is divided out" in texts
    assert not any("6144" in text for text in texts)


def test_values_of_every_kind() -> None:
    assert divided([2.0, [4.0, None]], 2.0) == [1.0, [2.0, None]]
    assert divided({"unknown": "not asked"}, 2.0) == {"unknown": "not asked"}
    summary = {"shape": [20], "dtype": "float32", "norm": 4.0, "mean": 1.0, "zeros": 3, "histogram": {}}
    assert divided(summary, 2.0) == {"shape": [20], "dtype": "float32", "norm": 2.0, "mean": 0.5, "zeros": 3}
    assert math.isinf(divided(math.inf, 2.0))


def test_without_a_scale_the_graph_is_itself(scaled: Any) -> None:
    graph = scaled.calls[0].graph
    assert unscaled(graph, None) is graph
