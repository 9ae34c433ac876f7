"""What is drawn by default follows the size of the picture in points."""

from __future__ import annotations

import graphs
import pytest
from columns import Op, graph

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
