"""What is drawn by default follows the size of the picture in points."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import graphs
import pytest
import torch
from columns import Op, graph
from torch import nn

import inspector
from inspector.figure import draw
from inspector.figure.choose_style import SMALL, TWO_SCREENS, fits_two_screens
from inspector.folding import ROOMS, fold
from inspector.graph import Graph
from inspector.options import FigureOptions


def chain(count: int, module: str = "layer") -> Graph:
    """A chain of so many functions, a leaf included, each in a module of its own."""
    ops = [Op("MulBackward0", [at + 1], f"{module}{at}") for at in range(count - 1)]
    return graph([*ops, Op("AccumulateGrad")])


def style_of(figure: object) -> str:
    """modules if only the panel after is drawn together, as that style does."""
    return "modules" if len(figure.scene.panels) == 1 else "attributes"  # type: ignore[attr-defined]


def size(figure: object) -> tuple[float, float]:
    return figure.scene.width, figure.scene.height  # type: ignore[attr-defined]


def test_few_nodes_are_drawn_with_their_attributes() -> None:
    for shape in graphs.SEEDS.values():
        assert style_of(draw(shape())) == "attributes"
    assert style_of(draw(chain(SMALL))) == "attributes"


def test_more_nodes_are_drawn_with_their_attributes_if_they_fit_two_screens() -> None:
    styles = {}
    for count in range(SMALL + 1, 31, 3):
        whole = chain(count)
        full = draw(whole, FigureOptions(style="attributes"))
        figure = draw(whole)
        styles[count] = style_of(figure)
        assert styles[count] == ("attributes" if fits_two_screens(*size(full)) else "modules")
        if styles[count] == "modules":
            assert any("--style attributes draws every tensor" in remark for remark in figure.remarks)
            assert size(figure)[0] * size(figure)[1] < size(full)[0] * size(full)[1]
    assert styles[28] == "modules"


@pytest.mark.parametrize(
    "look",
    [
        FigureOptions(style="attributes"),
        FigureOptions(detail="standard"),
        FigureOptions(derivatives="both"),
    ],
)
def test_what_only_the_attributes_show_is_not_folded_away(look: FigureOptions) -> None:
    assert style_of(draw(chain(28), look)) == "attributes"


def test_the_full_depth_is_not_folded() -> None:
    assert style_of(draw(chain(28), depth="full")) == "attributes"


def test_a_folded_picture_that_is_too_tall_has_fewer_boxes() -> None:
    blocks = [
        Op("MulBackward0", [5 * block + part + 1], f"stage{block}.part{part}")
        for block in range(8)
        for part in range(5)
    ]
    whole = graph([*blocks, Op("AccumulateGrad")])
    counts = [len(list(fold(whole, room=room).nodes())) for room in ROOMS]
    assert counts == sorted(counts, reverse=True)
    figure = draw(whole)
    assert style_of(figure) == "modules" and fits_two_screens(*size(figure))


def test_panels_that_are_taller_than_wide_stand_side_by_side() -> None:
    for shape in (*graphs.SEEDS.values(), graphs.SHAPES["S3"]):
        for direction in ("LR", "TB"):
            figure = draw(shape(), FigureOptions(style="attributes", direction=direction))  # type: ignore[arg-type]
            width, height = (figure.panels["after"].width, figure.panels["after"].height)
            expected = (2 * width, height) if height > width else (width, 2 * height)
            assert size(figure) == expected


def test_two_screens_are_twice_a_screen() -> None:
    assert [width * height for width, height in TWO_SCREENS] == [2 * 1_920 * 1_200] * 2


def perceptron(*widths: int) -> nn.Sequential:
    pairs = itertools.pairwise(widths)
    return nn.Sequential(*(layer for pair in pairs for layer in (nn.Linear(*pair), nn.Tanh())))


def physics() -> torch.Tensor:
    """A net whose derivatives, also of second order, are in the loss."""
    net = perceptron(2, 8, 8, 1)
    x, t = torch.rand(6, 1, requires_grad=True), torch.rand(6, 1, requires_grad=True)

    def derivative(y: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
        return torch.autograd.grad(y, of, torch.ones_like(y), create_graph=True)[0]

    u = net(torch.cat([x, t], 1))
    u_x, u_t = derivative(u, x), derivative(u, t)
    residual = u_t + u * u_x - 0.1 * derivative(u_x, x)
    return residual.pow(2).mean() + net(torch.cat([x, t * 0], 1)).pow(2).mean()


def ensemble() -> torch.Tensor:
    members = [perceptron(3, 4, 1) for _ in range(10)]
    x = torch.randn(5, 3)
    total = torch.zeros(())
    for member in members:
        total = total + (member(x) ** 2).mean()
    return total - torch.stack([member(x) for member in members]).var(0).mean()


def mixture() -> torch.Tensor:
    gate, experts = nn.Linear(4, 8), nn.ModuleList(perceptron(4, 6, 4) for _ in range(8))
    x = torch.randn(5, 4)
    weights = gate(x).softmax(-1)
    return sum((expert(x) * weights[:, k, None]).square().mean() for k, expert in enumerate(experts))  # type: ignore[return-value]


def unrolled() -> torch.Tensor:
    rate, x = torch.tensor(0.1, requires_grad=True), torch.ones(3, requires_grad=True)
    a = torch.randn(4, 3)
    for _ in range(12):
        (g,) = torch.autograd.grad(((a @ x) ** 2).mean(), x, create_graph=True)
        x = x - rate * g
    return (a @ x).square().sum()


def towers() -> torch.Tensor:
    """One net on an anchor, a positive and five negatives."""
    tower = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 4))
    a, p = (nn.functional.normalize(tower(torch.randn(8, 6)), dim=-1) for _ in range(2))
    logits = [(a * p).sum(-1)]
    for _ in range(5):
        n = nn.functional.normalize(tower(torch.randn(8, 6)), dim=-1)
        logits.append((a * n).sum(-1))
    return nn.functional.cross_entropy(torch.stack(logits, 1) / 0.1, torch.zeros(8, dtype=torch.long))


def heads() -> torch.Tensor:
    trunk = perceptron(4, 6)
    tasks = nn.ModuleDict({f"task_{name}": perceptron(6, 6, 2) for name in "abcdefgh"})
    h = trunk(torch.randn(5, 4))
    return sum(head(h).log_softmax(-1)[:, 0].mean() for head in tasks.values())  # type: ignore[return-value]


def recorded(program: Callable[[], torch.Tensor]) -> Graph:
    torch.manual_seed(0)
    with inspector.record() as recording:
        program().backward()
    return recording.calls[-1].graph


@pytest.mark.parametrize("program", [physics, ensemble, mixture, unrolled, heads])
def test_pictures_of_programs_without_layers_in_a_row_fit_two_screens(program: Callable[[], torch.Tensor]) -> None:
    figure = draw(recorded(program))
    assert style_of(figure) == "modules" and fits_two_screens(*size(figure))
    assert any("full opens all" in remark for remark in figure.remarks)


def test_a_slide_keeps_equal_models_together() -> None:
    """Of functions beside each other, those of one stack do not get into different boxes."""
    figure = draw(recorded(towers), FigureOptions(canvas="16:9"))
    assert size(figure) == (960.0, 540.0) and "neighbouring Nodes share a box" in figure.remarks[0]
    texts = [run.text for box in figure.scene.panels[0].boxes for run in box.texts]
    assert "×5" in texts  # noqa: RUF001 (the sign of a stack)


def test_a_small_step_with_a_derivative_keeps_its_attributes() -> None:
    def program() -> torch.Tensor:
        x = torch.tensor(2.0, requires_grad=True)
        (slope,) = torch.autograd.grad(x**3, x, create_graph=True)
        return slope**2

    assert style_of(draw(recorded(program))) == "attributes"


def test_what_one_call_of_grad_made_is_one_box_and_its_pills_name_the_call_first() -> None:
    whole = recorded(physics)
    calls = {node["made_in"] for _, node in whole.functions() if "made_in" in node}
    names = [node["name"] for _, node in fold(whole).folds()]
    assert len(calls) == 3
    for call in calls:
        assert f"call {call}: torch.autograd.grad(y, of, torch.ones_like(y), create_graph=True)[0]" in names
    texts = {
        text.text
        for box in draw(whole, depth="full").panels["after"].panels[0].boxes
        for text in box.texts
        if text.text.startswith("made in")
    }
    assert any(text.startswith(f"made in call {max(calls)} by TanhBackward") for text in texts)
