"""Tables of a limited width: names stay different, shapes stay whole."""

from __future__ import annotations

import pytest
from columns import Op, graph
from rich.text import Text

from inspector.graph import Graph
from inspector.graph.module_outputs import output_of
from inspector.graph.topology import topology_of
from inspector.terminal.text_cells import columns, fit_path, fit_paths

DENSE = [
    f"features.denseblock{block}.denselayer{layer}.norm{norm}.bias"
    for block in (1, 2)
    for layer in (1, 2, 12)
    for norm in (1, 2)
]
SIMILAR = ["encoder.attention.query.weight", "encoder.affine.query.weight", "encoder.attributes.query.weight"]


@pytest.mark.parametrize("width", [12, 16, 20, 24, 32, 60])
@pytest.mark.parametrize("names", [DENSE, SIMILAR, ["a.b", "a.b", "c"], ["x" * 50 + "1", "x" * 50 + "2"]])
def test_different_names_stay_different(names: list[str], width: int) -> None:
    labels = fit_paths(names, width)
    assert labels.keys() == set(names)
    assert len(set(labels.values())) == len(set(names))


def test_a_path_keeps_its_numbers() -> None:
    assert fit_path("features.denseblock1.denselayer2.norm2.bias", 24) == "f.d1.d2.norm2.bias"
    assert fit_path("head.weight", 24) == "head.weight"


def table(*rows: tuple[str, ...]) -> list[list[Text]]:
    return [[Text(cell) for cell in row] for row in (("name", "data", "kind"), *rows)]


def test_shapes_and_scalars_are_whole_where_lists_lose_their_end() -> None:
    rows = table(
        ("loss", "0.7310586", "SoftmaxBackward"),
        ("x", "float32[128, 64] norm 12.25", "None"),
        ("b", "[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]", "None"),
    )
    lines = [line.plain for line in columns(rows, 40, [(2, 8), (1, 8)])]
    assert all(len(line) <= 40 for line in lines)
    assert "0.7310586" in lines[1] and "f32[128, 64]" in lines[2]
    assert "norm" not in lines[2] or "norm 12.25" in lines[2], "half a number would be another one"
    assert lines[3].startswith("b     [0.1, 0.2") and "\N{HORIZONTAL ELLIPSIS}" in lines[3]


@pytest.mark.parametrize("width", range(38, 60))
def test_a_label_is_more_than_a_norm(width: int) -> None:
    (_, line) = columns(table(("1", "hidden.weight.mean() = float32[64, 1] norm 97.26", "x")), width, [(1, 8)], 1)
    label, _, content = line.plain.partition(" = ")
    assert content.startswith("f") and "[64, 1]" in content
    assert len(label.rpartition("  ")[2]) >= 12 or "norm" not in content


def test_where_there_is_room_types_are_written_out() -> None:
    rows = table(("x", "float32[8, 3]", "None"), ("y", "bfloat16[8]", "None"))
    assert "float32[8, 3]" in columns(rows, 80, [(1, 8)])[1].plain
    narrow = [line.plain for line in columns(rows, 24, [(1, 8)])]
    assert "f32[8, 3]" in narrow[1] and "bf16[8]" in narrow[2]


def test_a_heading_that_is_too_wide_has_two_lines() -> None:
    rows = [list(map(Text, row)) for row in (("tensor", "requires_grad", "grad_fn"), ("x", "True", "None"))]
    assert [line.plain for line in columns(rows, 40, [(1, 9)])] == [
        "tensor   requires_grad   grad_fn",
        "x        True            None",
    ]
    assert [line.plain for line in columns(rows, 26, [(1, 9)])] == [
        "        requires_",
        "tensor  grad       grad_fn",
        "x       True       None",
    ]


LABELLED = [
    ("hidden * config.scale * state.w = float32[5, 3] norm 3.423", "f32[5, 3]"),
    ("(x @ x.mT).softmax(-1).sum() = 0.7310586", "0.7310586"),
    ("masked = bfloat16[128, 64] norm 12.25", "bf16[128, 64]"),
    ("x = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]", "[0.1"),
    ("loss = 0.4644", "loss = 0.4644"),
]


@pytest.mark.parametrize(("cell", "kept"), LABELLED)
def test_a_label_is_shortened_before_its_value(cell: str, kept: str) -> None:
    """Half a number, or half a shape, says another one."""
    rows = [list(map(Text, row)) for row in (("Node", "tensor", "gradient"), ("1 AddBackward", cell, "0 · 1 = 0"))]
    line = columns(rows, 48, [(1, 20)], labelled=1)[1].plain
    assert kept in line and line.startswith("1 AddBackward  ") and line.endswith("0 · 1 = 0")
    assert cell[0] in line.removeprefix("1 AddBackward")[:4]


def test_shortened_labels_stay_different() -> None:
    """Paths keep their initials; what would be the same twice stays whole, and its value gives way."""
    cells = ["heads.cls.weight = f32[3, 6]", "heads.box.weight = f32[4, 6]"]
    cells += ["f(a, b, c, 1) = 2.5", "f(a, b, d, 1) = 3.5"]
    rows = [[Text("Node"), Text("tensor")], *([Text("1 AddBackward"), Text(cell)] for cell in cells)]
    lines = columns(rows, 38, [(1, 12)], labelled=1)[1:]
    shown = [line.plain.removeprefix("1 AddBackward").strip() for line in lines]
    assert shown[:2] == ["h.c.weight = f32[3, 6]", "h.b.weight = f32[4, 6]"]
    narrow = [line.plain for line in columns(rows[:1] + rows[3:], 28, [(1, 12)], labelled=1)[1:]]
    assert len(set(narrow)) == 2


def test_what_is_no_label_is_left_alone() -> None:
    """The left side of an equation in another column is arithmetic."""
    rows = [[Text("Node"), Text("gradient")], [Text("1 AddBackward"), Text("0.125 · 0.25 · 0.5 = 0.015625")]]
    line = columns(rows, 30, [(1, 8)], labelled=0)[1].plain
    assert line == "1 AddBackward  0.125 · 0.25 ·…"


def test_paths_are_unique_in_the_whole_model_and_not_only_in_the_table() -> None:
    """Queries and keys differ only at the end of a long word."""
    names = [
        f"encoder_network.attention_layers.{layer}.projection_of_{what}.{kind}"
        for layer in (0, 1)
        for what in ("queries", "keys", "values")
        for kind in ("weight", "bias")
    ]
    labels = fit_paths(names, 26)
    assert len(set(labels.values())) == len(names)
    assert labels["encoder_network.attention_layers.1.projection_of_keys.bias"] == "e.a.1.projec…_of_keys.bias"
    assert all(len(label) <= 26 for label in labels.values())


def outputs(whole: Graph) -> list[str]:
    of = topology_of(whole)
    return [output_of(of, identifier) for identifier in of.ids]


def test_what_leaves_a_module_is_its_output() -> None:
    """0 → 1 (a) → 2 (a) → 3 (a.b) → 4 (b) → leaf; what a itself uses stays inside of it."""
    ops = [
        Op("SumBackward0", [1], None),
        Op("MulBackward0", [2], "a"),
        Op("SinBackward0", [3], "a"),
        Op("CosBackward0", [4], "a.b"),
        Op("ExpBackward0", [5], "b"),
        Op("AccumulateGrad"),
    ]
    assert outputs(graph(ops)) == ["", "out of a", "", "out of a.b", "out of b", ""]
