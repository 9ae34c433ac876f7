"""Heat maps: every cell has the colour of its element, in all styles that show values, and figures still fit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import inspector
from inspector.figure import draw
from inspector.figure.heat_maps import NAN_INK, ink_of
from inspector.graph import Graph, unknown
from inspector.options import FigureOptions, Presentation
from inspector.options.choices import VALUES
from inspector.page import PageSource
from inspector.page.page_data import page_data
from inspector.report import BackwardCall
from inspector.scene import Band, Panel
from inspector.scene.theme import DIVERGING, THEMES
from inspector.styles.grid_text import ValueLook, drawn_tensor
from inspector.styles.plan import HeatMap, NumberGrid

LOOK = ValueLook("value", "medium", "ground", 4, "auto")
CELLS = (*DIVERGING, "ground")


def recorded(make: Callable[[], Tensor]) -> Graph:
    with inspector.record() as recording:
        make().backward()
    return recording.calls[0].graph


def graph_of(weight: Tensor) -> Graph:
    """`loss = (weight * weight).sum()`."""

    def loss() -> Tensor:
        return (weight * weight).sum()

    return recorded(loss)


def maps(panel: Panel) -> list[list[list[Band]]]:
    """The cells of every heat map of a panel, by row; the cells are squares, their scales are not."""
    found = []
    for box in panel.boxes:
        cells = [band for band in box.bands if band.fill in CELLS and band.area.width == band.area.height]
        rows: dict[float, list[Band]] = {}
        for band in cells:
            rows.setdefault(round(band.area.y, 3), []).append(band)
        if rows:
            found.append([rows[y] for y in sorted(rows)])
    return found


def value_of(band: Band, most: float, theme: str = "light") -> float:
    """The element of a colour: the map inverted."""
    colours = [THEMES[theme][ink] for ink in DIVERGING]
    middle = len(colours) // 2
    return (colours.index(THEMES[theme][band.fill]) - middle) / middle * most


def numbers_of(cells: list[list[Band]], most: float) -> Tensor:
    return torch.tensor([[value_of(band, most) for band in row] for row in cells])


# ---- colours ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(16, 16), (8, 2), (2, 8), (5, 1), (6, 6)])
def test_every_cell_has_the_colour_of_its_element_and_of_its_gradient(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    weight = torch.randn(shape, requires_grad=True)
    look = FigureOptions(style="attributes", values="heat")
    panel = draw(graph_of(weight), look).panels["after"].panels[0]
    (cells,) = maps(panel)
    assert weight.grad is not None
    for shown, tensor in ((cells[: shape[0]], weight.detach()), (cells[shape[0] :], weight.grad)):
        most = float(tensor.abs().max())
        assert torch.allclose(numbers_of(shown, most), tensor, atol=0.51 * most / (len(DIVERGING) // 2))


def test_a_vector_is_a_column_and_a_kernel_a_row_of_tiles() -> None:
    vector = drawn_tensor(value(torch.arange(12.0)), LOOK)
    kernel = drawn_tensor(value(torch.arange(72.0).reshape(8, 1, 3, 3)), LOOK)
    channels = drawn_tensor(value(torch.arange(54.0).reshape(2, 3, 3, 3)), LOOK)
    assert isinstance(vector, HeatMap)
    assert isinstance(kernel, HeatMap)
    assert isinstance(channels, HeatMap)
    assert [len(vector.tiles[0]), len(vector.tiles[0][0])] == [12, 1]
    assert vector.caption == "[12]"
    assert [len(kernel.tiles), kernel.tiles_per_row, kernel.caption] == [8, 8, "8×1×3×3"]  # noqa: RUF001
    assert [len(channels.tiles), channels.tiles_per_row] == [6, 3]
    assert kernel.tiles[7][2][2] == 1.0


def test_the_scale_ends_at_the_extremes_and_zero_is_the_ground() -> None:
    shown = drawn_tensor(value(torch.tensor([-1.0, 0.0, 4.0] * 4)), LOOK)
    assert isinstance(shown, HeatMap)
    assert shown.ends == ("4", "−1")  # noqa: RUF001
    assert (shown.scale[0], shown.scale[-1]) == (1.0, -0.25)
    assert all(THEMES[theme][ink_of(0.0)] == THEMES[theme]["ground"] for theme in ("light", "dark"))
    zeros = drawn_tensor(value(torch.zeros(4, 5)), LOOK)
    assert isinstance(zeros, HeatMap)
    assert (zeros.ends, zeros.scale) == (("0",), (0.0,))


def test_nan_and_infinities_are_hatched_and_told() -> None:
    weight = torch.tensor([[1.0, math.nan, math.inf], [-math.inf, 0.0, -2.0]] * 2, requires_grad=True)
    panel = draw(graph_of(weight), FigureOptions(style="attributes", values="heat")).panels["before"].panels[0]
    (cells,) = maps(panel)
    fills = [[band.fill == "ground" for band in row] for row in cells]
    assert fills == (~weight.isfinite()).tolist()
    (box,) = (box for box in panel.boxes if any(band.fill == NAN_INK for band in box.bands))
    stripes = [band for band in box.bands if band.fill == NAN_INK]
    hatched = {
        (row, column)
        for row, line in enumerate(cells)
        for column, cell in enumerate(line)
        if any(cell.area.overlaps(stripe.area) for stripe in stripes)
    }
    assert hatched == {(0, 1), (2, 1)}
    texts = [run.text for run in box.texts]
    assert "2 NaN, 2 inf, 2 −inf hatched" in texts  # noqa: RUF001
    assert {"1", "−2"} <= set(texts)  # noqa: RUF001


def test_colours_of_both_signs_differ_for_every_eye_and_grow_with_the_value() -> None:
    from test_theme import EYES, distance, lab, linear, times

    for theme in ("light", "dark"):
        colours = [linear(THEMES[theme][ink]) for ink in DIVERGING]
        from_ground = [distance(colour, colours[12]) for colour in colours]
        assert from_ground[12:] == sorted(from_ground[12:])
        assert from_ground[12::-1] == sorted(from_ground[12::-1])
        for eye in EYES.values():
            low, high = (times(eye, colours[at]) for at in (0, -1))
            assert distance(low, high) > 25
    brightness = [lab(linear(THEMES["print"][ink]))[0] for ink in DIVERGING]
    assert brightness == sorted(brightness)


# ---- forms --------------------------------------------------------------------------------------------------


def value(tensor: Tensor) -> Any:
    from test_elements import measured

    return tensor.tolist() if tensor.numel() <= 9 else measured(tensor)


@pytest.mark.parametrize(
    ("shape", "forms"),
    [
        ((2, 2), {"auto": NumberGrid, "numbers": NumberGrid, "heat": HeatMap, "shape": None}),
        ((4, 4), {"auto": NumberGrid, "numbers": NumberGrid, "heat": HeatMap, "shape": None}),
        ((5, 4), {"auto": HeatMap, "numbers": None, "heat": HeatMap, "shape": None}),
        ((2, 2, 2), {"auto": HeatMap, "numbers": None, "heat": HeatMap, "shape": None}),
        ((16, 16), {"auto": HeatMap, "numbers": None, "heat": HeatMap, "shape": None}),
        ((17, 2), {"auto": None, "numbers": None, "heat": None, "shape": None}),
        ((17, 16), {"auto": None, "numbers": None, "heat": None, "shape": None}),
    ],
)
def test_the_form_follows_the_option_and_the_size(shape: tuple[int, ...], forms: dict[str, Any]) -> None:
    assert tuple(forms) == VALUES
    held = value(torch.rand(shape))
    for form, kind in forms.items():
        shown = drawn_tensor(held, LOOK._replace(form=form))  # type: ignore[arg-type]
        assert shown is None if kind is None else type(shown) is kind


def test_numbers_of_a_grid_are_those_of_torch() -> None:
    tensor = torch.arange(16.0).reshape(4, 4) / 8
    shown = drawn_tensor(value(tensor), LOOK)
    assert isinstance(shown, NumberGrid)
    assert [[float(text) for text in row] for row in shown.rows] == tensor.tolist()


@pytest.mark.parametrize(
    "tensor",
    [
        torch.linspace(-3, 1, 36).reshape(6, 6).half(),
        torch.linspace(-1, 1, 30, dtype=torch.float64).reshape(5, 6) * 1e-300,
        torch.arange(-10, 10).reshape(4, 5),
        torch.arange(20).reshape(4, 5) % 3 == 0,
        torch.linspace(0, 1, 16).reshape(1, 16),
        torch.linspace(-1, 2, 36).reshape(1, 1, 6, 6),
        torch.full((6, 6), 2.0),
        torch.linspace(-3, 3, 20).reshape(4, 5) * 1e38,
    ],
    ids=["half", "tiny", "whole numbers", "booleans", "row", "kernel", "constant", "huge"],
)
def test_a_cell_is_its_share_of_the_largest_element(tensor: Tensor) -> None:
    shown = drawn_tensor(value(tensor), LOOK)
    assert isinstance(shown, HeatMap) and len(shown.tiles) == 1
    wide = tensor.to(torch.float64)
    shares = (wide / wide.abs().max()).reshape(-1, tensor.shape[-1])
    assert torch.allclose(torch.tensor(shown.tiles[0], dtype=torch.float64), shares, atol=1e-6)


@pytest.mark.parametrize("tensor", [torch.eye(6).to_sparse(), torch.rand(0, 6), torch.rand(4, 5).to_mkldnn()])
def test_what_has_no_cells_has_its_shape(tensor: Tensor) -> None:
    assert drawn_tensor(value(tensor), LOOK) is None


def test_complex_tensors_have_a_shape_alone() -> None:
    assert drawn_tensor(value(torch.zeros(12, dtype=torch.complex64)), LOOK) is None


@pytest.mark.parametrize("style", ["attributes", "circuit"])
@pytest.mark.parametrize("theme", THEMES)
def test_figures_show_heat_maps_in_all_themes(style: Any, theme: Any) -> None:
    weight = torch.randn(6, 5, requires_grad=True)
    picture = inspector.draw(graph_of(weight), style=style, theme=theme)
    svg = picture.svg()
    assert THEMES[theme][ink_of(float(weight.detach().max() / weight.detach().abs().max()))] in svg
    numbers = inspector.draw(graph_of(weight), style=style, values="numbers")
    assert not maps(numbers.figure.panels["after"].panels[0])


def test_an_unknown_form_is_told_with_the_choices() -> None:
    with pytest.raises(ValueError, match="unknown values 'hot'; choose from: auto, numbers, heat, shape"):
        inspector.draw(torch.ones(2, requires_grad=True).sum(), values="hot")  # type: ignore[arg-type]


# ---- slides -------------------------------------------------------------------------------------------------


def network() -> Tensor:
    torch.manual_seed(0)
    x, y = torch.randn(16, 2), torch.rand(16)
    w1, b1 = torch.randn(8, 2, requires_grad=True), torch.zeros(8, requires_grad=True)
    w2 = torch.randn(1, 8, requires_grad=True)
    hidden = torch.relu(x @ w1.T + b1)
    output = torch.sigmoid(hidden @ w2.T).squeeze(1)
    return ((output - y) ** 2).mean()


def network_with_names() -> Tensor:
    torch.manual_seed(0)
    x, y = torch.randn(16, 2), torch.rand(16)
    w1, b1 = torch.randn(8, 2, requires_grad=True), torch.zeros(8, requires_grad=True)
    w2 = torch.randn(1, 8, requires_grad=True)
    summed = x @ w1.T + b1
    hidden = torch.relu(summed)
    logits = hidden @ w2.T
    output = torch.sigmoid(logits).squeeze(1)
    return ((output - y) ** 2).mean()


@pytest.mark.parametrize(
    ("style", "script", "kept", "count"),
    [
        ("circuit", network, "tensors with a name", 9),  # and hidden, output, each with its gradient
        ("circuit", network_with_names, "leaves", 5),  # x, y, w1, b1, w2
        ("partials", network_with_names, "leaves", 5),
    ],
)
def test_a_slide_keeps_heat_maps_if_all_do_not_fit(style: Any, script: Any, kept: str, count: int) -> None:
    figure = draw(recorded(script), FigureOptions(style=style, canvas="16:9"))
    panel = figure.panels["after"].panels[0]
    assert (panel.area.width, panel.area.height) == (960, 540)
    assert any(f"heat maps of {kept} alone" in remark for remark in figure.remarks)
    assert len(maps(panel)) == count
    assert all(run.size >= 13.99 for box in panel.boxes for run in box.texts)


def test_a_slide_without_room_leaves_them_out_and_says_so() -> None:
    def long() -> Tensor:
        value = torch.randn(16, 16, requires_grad=True)
        for _ in range(4):
            value = torch.tanh(value @ torch.randn(16, 16, requires_grad=True))
        return value.sum()

    figure = draw(recorded(long), FigureOptions(style="circuit", canvas="16:9"))
    assert any(re.search("heat maps are left out, to fit the canvas", remark) for remark in figure.remarks)
    assert not maps(figure.panels["after"].panels[0])


def test_a_handout_leaves_the_cells_empty() -> None:
    weight = torch.randn(6, 5, requires_grad=True)
    look = FigureOptions(style="circuit")
    for kind, is_blank in (("blanks", True), ("solution", False)):
        figure = draw(graph_of(weight), look, presentation=Presentation(handout=kind))  # type: ignore[arg-type]
        cells = maps(figure.panels["after"].panels[0])
        blank = [all(band.fill == ink_of(0.0) for row in cell for band in row) for cell in cells]
        assert any(blank) == is_blank
        assert not all(blank)  # the leaf itself is given


# ---- the page -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", VALUES)
def test_the_page_has_the_elements_of_heat_maps_alone(values: Any) -> None:
    graph = graph_of(torch.randn(6, 5, requires_grad=True))
    data = page_data(BackwardCall(1, unknown("traced"), graph), PageSource(values=values))
    assert ("'elements': '" in repr(data)) == (values in ("auto", "heat"))
