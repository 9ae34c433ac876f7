"""`inspector.plot_norms`: the norm of the gradient at each layer, as a figure and in the terminal."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import pytest
import torch
from geometry import text_area
from torch import nn

import inspector
from inspector.export.svg import write_svg
from inspector.graph.layer_norms import LayerNorm, layers_of, together
from inspector.plots import plot_layers
from inspector.plots.layer_norms_plot import MOST_ROWS
from inspector.terminal.model_summary import summary_lines


def recorded(model: nn.Module, x: torch.Tensor, scale: float = 1.0) -> Any:
    torch.manual_seed(0)
    with inspector.record() as recording:
        loss = model(x).pow(2).mean()
        (loss if scale == 1 else torch.amp.GradScaler("cpu", init_scale=scale).scale(loss)).backward()
    assert recording.failure is None
    return recording.report()


def stack(layers: int) -> nn.Sequential:
    return nn.Sequential(*(nn.Sequential(nn.Linear(8, 8), nn.Tanh()) for _ in range(layers)))


def test_layers_are_modules_from_the_root_on_with_torchs_norms() -> None:
    model = stack(3)
    report = recorded(model, torch.randn(4, 8))
    layers = layers_of(report.calls[0].graph)
    assert [layer.name for layer in layers] == ["2.0", "1.0", "0.0"]
    for layer in layers:
        grads = [parameter.grad for parameter in model.get_submodule(layer.name).parameters()]
        assert layer.size == pytest.approx(float(torch.cat([grad.flatten() for grad in grads]).norm()))


def test_a_scale_is_divided_out() -> None:
    model, x = stack(2), torch.randn(4, 8)
    plain = inspector.plot_norms(recorded(model, x)).figure.scene.description
    model.zero_grad()
    assert inspector.plot_norms(recorded(model, x, 256.0)).figure.scene.description == plain


def test_norms_together() -> None:
    assert together([3.0, None, 4.0]) == 5.0 and together([None]) is None
    assert math.isnan(together([math.nan, 1.0]) or 0.0) and together([2.0], 2.0) == 1.0


def texts(graph: Any) -> list[str]:
    (panel,) = plot_layers(graph).scene.panels
    return [run.text for box in panel.boxes for run in box.texts]


def test_zero_nan_and_nothing_are_said() -> None:
    graph = recorded(stack(4), torch.randn(4, 8)).calls[0].graph
    for name, gradient in (("0.0", 0.0), ("1.0", math.nan), ("2.0", None)):
        for _, tensor in graph.tensors():
            if str(tensor["name"]).startswith(name):
                tensor["gradient"] = gradient
    assert {"0", "NaN or Inf", "no gradient"} <= set(texts(graph))
    line = next(line.plain for line in summary_lines(graph, 80) if line.plain.startswith("norm by layer"))
    assert line.split("  ")[1] == "▇·!0"


@pytest.mark.parametrize("layers", [1, 5, 40])
def test_nothing_lies_on_anything_and_the_file_is_the_same_twice(layers: int) -> None:
    picture = inspector.plot_norms(recorded(stack(layers), torch.randn(4, 8)))
    (panel,) = picture.figure.scene.panels
    areas = [text_area(run) for box in panel.boxes for run in box.texts]
    for one, other in combinations(areas, 2):
        apart = one.right <= other.x or other.right <= one.x
        assert apart or one.bottom <= other.y or other.bottom <= one.y
    for area in areas:
        assert area.x >= 0 and area.right <= panel.area.right
        assert area.y >= 0 and area.bottom <= panel.area.bottom
    assert write_svg(picture.figure.scene) == write_svg(picture.figure.scene)


def test_many_layers_are_taken_together_by_module() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.three = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.three(self.two(self.one(x)))

    model = nn.Sequential(*(Block() for _ in range(MOST_ROWS // 2)))
    report = recorded(model, torch.randn(4, 8))
    rows = inspector.plot_norms(report).figure.scene.description.splitlines()
    assert [row.partition(":")[0] for row in rows] == [str(k) for k in reversed(range(MOST_ROWS // 2))]


def test_leaves_without_a_module_are_layers_of_their_own() -> None:
    w, b = torch.ones(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    with inspector.record() as recording:
        (w * 2 + b).sum().backward()
    layers = layers_of(recording.calls[0].graph)
    assert layers == [LayerNorm("b", pytest.approx(3**0.5)), LayerNorm("w", pytest.approx(12**0.5))]  # type: ignore[arg-type]
    assert inspector.plot_norms(recording.calls[0].graph).svg().startswith("<svg")


def test_what_cannot_be_drawn_says_why() -> None:
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="no gradient norms"):
        inspector.plot_norms(inspector.trace((x * 2).sum()))
    with pytest.raises(ValueError, match="no backward call 4; recorded calls: 1"):
        inspector.plot_norms(recorded(stack(1), torch.randn(4, 8)), call=4)
