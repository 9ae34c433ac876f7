"""The modules style: what is folded, how much flows, what is wrong: all of it to be read, nothing in the way."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from columns import Op, graph, loop, transformer
from geometry import problems, skeleton
from graphs import square
from hypothesis import given, settings
from hypothesis import strategies as st
from test_folding import graphs
from torch import nn

import inspector
from inspector.export.svg import write_svg
from inspector.figure import Figure, draw
from inspector.figure.choose_style import MOST_UNFOLDED
from inspector.folding import FoldedGraph, fold
from inspector.folding.boxes import FoldedBox
from inspector.graph import Graph
from inspector.options import FigureOptions
from inspector.scene import Panel, WeightedWire
from inspector.styles.modules import THINNEST, WIDEST, _short_name, _short_names, _size_row

MODULES = FigureOptions(style="modules")


def after(figure: Figure) -> Panel:
    return figure.panels["after"].panels[0]


def words(panel: Panel) -> list[str]:
    return [text.text for part in (*panel.boxes, *panel.wires) for text in part.texts]


def flows(panel: Panel) -> dict[str, WeightedWire]:
    return {wire.id: wire for wire in panel.wires if isinstance(wire, WeightedWire)}


EXAMPLES = {
    "transformer": transformer(12),
    "loop": loop(50),
    "small": transformer(1),
}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("depth", ["auto", 1, 3])
def test_the_geometry_is_sound_and_the_same_at_both_moments(name: str, depth: Any) -> None:
    figure = draw(fold(EXAMPLES[name], depth), MODULES)
    assert problems(figure.scene) == []
    before, now = (figure.panels[moment].panels[0] for moment in ("before", "after"))
    assert skeleton(before) == skeleton(now)


@settings(max_examples=15)
@given(graphs(), st.sampled_from(["auto", 1, 2]))
def test_any_folded_graph_can_be_drawn(whole: Graph, depth: Any) -> None:
    figure = draw(fold(whole, depth), MODULES)
    assert [line for line in problems(figure.scene) if "runs through box" in line] == []


def test_the_picture_of_a_model_says_what_was_folded_and_how_to_unfold() -> None:
    figure = draw(transformer(12))
    shown = " ".join(words(after(figure)))
    assert "blocks.0–10" in shown and "×11" in shown  # noqa: RUF001
    assert "--depth N opens more, full opens all" in shown
    assert any("full opens all" in remark for remark in figure.remarks)
    assert [panel.id for panel in figure.scene.panels] == ["after"]


def test_a_small_graph_is_drawn_unfolded() -> None:
    figure = draw(graph([Op("SumBackward0", [1]), Op("AccumulateGrad")]))
    assert [panel.id for panel in figure.scene.panels] == ["before", "after"]
    ops = [Op("SinBackward0", [position + 1]) for position in range(MOST_UNFOLDED)]
    assert [panel.id for panel in draw(graph([*ops, Op("AccumulateGrad")])).scene.panels] == ["after"]


def test_a_depth_is_only_for_the_style_that_draws_boxes() -> None:
    with pytest.raises(ValueError, match="--style modules"):
        draw(transformer(2), FigureOptions(style="attributes"), depth=2)
    assert "blocks" in words(after(draw(transformer(2), depth=1)))


def test_equal_blocks_are_a_stack() -> None:
    shapes = {box.id: box.shape for box in after(draw(fold(transformer(12), 2), MODULES)).boxes}
    assert list(shapes.values()).count("stack") == 1


def test_a_shared_leaf_is_a_chip_on_each_of_its_users() -> None:
    panel = after(draw(transformer(12)))
    chips = [box for box in panel.boxes if any("used 2 times" in text.text for text in box.texts)]
    assert len(chips) == 2
    assert all(box.id.split(".")[0] == chips[0].id.split(".")[0] for box in chips)


def _with_gradients(*gradients: Any) -> Graph:
    """A chain of two modules of two functions each, told what arrives at each."""
    names = ["a", "a", "b", "b"]
    ops = [Op("SumBackward0", [1], gradient=1.0)]
    for position, (module, gradient) in enumerate(zip(names, gradients, strict=True), start=2):
        ops.append(Op("MulBackward0", [position], module, gradient=gradient))
    return graph([*ops, Op("AccumulateGrad", gradient=gradients[-1])])


def test_nan_zero_and_none_are_told_by_sign_and_word() -> None:
    broken = words(after(draw(fold(_with_gradients(1.0, math.nan, math.nan, math.nan), 1), MODULES)))
    assert broken.count("! NaN or Inf") == 4  # both modules, the wire between them, and the parameter
    zero = words(after(draw(fold(_with_gradients(1.0, 1.0, 0.0, 0.0), 1), MODULES)))
    assert "0 (all zero)" in zero and "0" in zero
    missing = words(after(draw(fold(_with_gradients(1.0, 1.0, None, None), 1), MODULES)))
    assert missing.count("None") == 3


def test_a_wire_is_as_wide_as_its_gradient_is_large() -> None:
    wires = flows(after(draw(fold(_with_gradients(10.0, 10.0, 0.001, 0.001), 1), MODULES)))
    widths = [wire.width for wire in wires.values()]
    assert max(widths) == pytest.approx(WIDEST) and min(widths) < THINNEST + 0.2
    before = draw(fold(_with_gradients(1.0, 1.0, 0.0, 0.0), 1), MODULES).panels["before"].panels[0]
    assert {wire.width for wire in flows(before).values()} == {THINNEST}


def test_an_edge_back_is_dashed_and_points_back() -> None:
    ops = [Op("MulBackward0", [1]), Op("SinBackward0", [2]), Op("CosBackward0", [3]), Op("ExpBackward0", [4])]
    whole = graph([*ops, Op("AccumulateGrad")])
    folded = FoldedGraph(whole, [0, FoldedBox("module", "a", (), [1, 3]), 2, 4])
    panel = after(draw(folded, MODULES))
    assert problems(draw(folded, MODULES).scene) == []
    back = next(wire for wire in panel.wires if wire.dashed and wire.arrow)
    assert (back.source, back.target) == ("n2", "g:n1")
    assert "back" in words(panel)


def test_the_same_bytes_every_time() -> None:
    svgs = {write_svg(draw(transformer(12)).scene) for _ in range(2)}
    assert len(svgs) == 1


def test_one_of_a_kind_has_no_s_and_one_norm_is_no_range() -> None:
    """`1 parameter`, `1 box`, and no `1 to 1`."""
    figure = draw(square(), FigureOptions(style="modules"), depth="full")
    (panel,) = figure.panels["after"].panels
    said = [text.text for box in panel.boxes for text in box.texts]
    assert "gradient norm (wires and bars): 1 everywhere" in said
    node = {"nodes": 1, "parameters": 1, "elements": 1}
    row = _size_row(node)
    assert (row.key, row.lines[0].text) == ("1 Node", "1 parameter")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("UpsampleNearestExact2DBackward0", ["UpsampleNearest", "Exact2DBackward"]),
        ("UpsampleNearest2DBackward0", ["UpsampleNearest2DBackward"]),
        ("BinaryCrossEntropyWithLogitsBackward0", ["BinaryCrossEntropy", "WithLogitsBackward"]),
        ("LinalgSolveTriangularBackward0", ["LinalgSolveTriangularBackward"]),
        ("MaxPool3DWithIndicesDoubleBackward0", ["MaxPool3DWithIndices", "DoubleBackward"]),
        ("MkldnnRnnLayerBackward0", ["MkldnnRnnLayerBackward"]),
        ("ViewBackward0", ["ViewBackward"]),
    ],
)
def test_the_name_of_a_node_is_whole_in_two_lines_if_it_is_long(name: str, lines: list[str]) -> None:
    model = graph([Op(name, [1]), Op("AccumulateGrad")])
    pill = next(box for box in after(draw(model, MODULES, depth="full")).boxes if box.id == "n0")
    assert [text.text for text in pill.texts] == lines


@pytest.mark.parametrize(
    ("code", "short"),
    [
        ("z = z / z.norm(dim=1, keepdim=True)", "z = z / z.norm(…)"),
        ("loss = (net(x) - y).pow(2).mean()", "loss = (…).pow(2).mean()"),
        ("loss = nn.functional.cross_entropy(model(x), y)", "loss = cross_entropy(…)"),
        ("return logits, F.cross_entropy(logits.flatten(0, 1), y)", "logits, cross_entropy(…)"),
        ("line 9: losses.append(criterion(head(z), y))", "line 9: losses.append(…)"),
        ("loss = criterion(z, y)", "loss = criterion(z, y)"),
        ("(prediction_of_a_net - target_of_a_net) = 3", "(prediction_of_a_net - target_of_a_net) = 3"),
    ],
)
def test_a_long_line_of_code_loses_what_is_in_its_brackets(code: str, short: str) -> None:
    assert _short_names([code, "other"])[code] == short


def test_lines_that_differ_in_their_brackets_alone_stay_whole() -> None:
    names = ["loss = F.cross_entropy(student(x), y)", "loss = F.cross_entropy(teacher(x), y)", "head"]
    assert _short_names(names) == {name: name for name in names}


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("a_model.value_head, pass 10 of 20", "…value_head, pass 10 of 20"),
        ("discriminator.4, pass 1 of 2", "discriminator.4, pass 1 of 2"),
        ("model.value_head", "model.value_head"),
        ("line 12, step 2", "line 12, step 2"),
        ("out = model.value_head(x), pass 1 of 20", "out = model.value_head(x), pass 1 of 20"),
    ],
)
def test_a_long_path_loses_its_beginning_and_not_its_pass(name: str, short: str) -> None:
    assert _short_name(name) == short


def test_a_box_says_that_its_parameters_are_shared() -> None:
    """Each pass uses the same parameters, which are outside of both boxes."""
    net, alone = nn.Sequential(nn.Linear(3, 3), nn.Tanh()), nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    with inspector.record() as recording:
        (net(torch.ones(2, 3)) + net(torch.zeros(2, 3)) + alone(torch.ones(2, 3)).tanh()).sum().backward()
    said = words(after(draw(fold(recording.calls[0].graph, 1), MODULES)))
    assert said.count("shared parameters") == sum(word.startswith("net, pass") for word in said) == 2
    assert said.count("12 parameters") == said.count("alone") == 1 and "no parameters" not in said
