"""Which rows of a gradient stand out, whether they are samples, and what findings say of them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from recorded import recorded

from inspector.diagnosis.analysis.outstanding_rows import add_rows, add_samples
from inspector.diagnosis.backward_view import BackwardView
from inspector.graph import Graph
from inspector.graph.batch_rows import RowMeaning, first_samples, meaning_of_rows
from inspector.recording.flight.node_layout import layouts_of
from inspector.report import BackwardCall, Finding
from inspector.tensor_stats import Batch, RowNorms, outstanding_rows, row_norms
from inspector.tensor_stats.row_shares import blocks_are_alike
from inspector.tensor_stats.statistics import BLOCK, statistics


def node_of(graph: Graph, name: str) -> tuple[str, int]:
    """The last Node of this op in the engine's order, and the number of rows of its gradient."""
    found = [(row["step"], node, row) for node, row in graph.functions() if row["name"].startswith(name)]
    _, node, row = max(found, key=lambda item: item[0])
    gradient = row["gradient"]
    return node, gradient["shape"][0] if isinstance(gradient, dict) else len(gradient)


def meaning(graph: Graph, name: str) -> RowMeaning:
    return meaning_of_rows(graph, *node_of(graph, name))


HEAD = """
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 4))
"""


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.complex64])
def test_norms_of_rows_are_those_of_torch(dtype: torch.dtype) -> None:
    gradient = torch.randn(6, 2, 3).to(dtype)
    found = row_norms(gradient.transpose(1, 2))
    assert found is not None
    expected = [float(row.to(torch.complex128 if dtype.is_complex else torch.float64).norm()) for row in gradient]
    assert found.tolist() == pytest.approx(expected, rel=1e-6)


def test_norms_that_float32_cannot_hold_are_finite() -> None:
    found = row_norms(torch.full((4, 100), 1e38))
    assert found is not None and bool(found.isfinite().all())


@pytest.mark.parametrize(
    "gradient",
    [None, torch.tensor(1.0), torch.ones(1, 4), torch.ones(5000, 2), torch.zeros(0, 3), torch.eye(4).to_sparse()],
)
def test_what_has_no_rows_is_not_measured(gradient: torch.Tensor | None) -> None:
    assert row_norms(gradient) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "way",
    ["contiguous", "transposed", "permuted", "every second", "expanded", "a view", "tiny", "huge", "numbers"],
)
def test_rows_of_small_tensors_are_measured_with_them(dtype: torch.dtype, way: str) -> None:
    """All ways to arrange the elements of a gradient, several of them in one batch: the row is the right one."""
    batch = Batch()
    rows, expected = RowNorms(batch), {}
    for position, row in enumerate([3, 0, 5]):
        gradient = torch.randn(6, 4, 5, dtype=dtype)
        gradient[row] *= 100
        arranged = {
            "contiguous": gradient,
            "transposed": gradient.transpose(1, 2).contiguous().transpose(1, 2),
            "permuted": gradient.permute(2, 0, 1).contiguous().permute(1, 2, 0),
            "every second": torch.stack([gradient, gradient], 3).flatten(2)[..., ::2],
            "expanded": gradient[..., :1].expand(6, 4, 5),
            "a view": gradient.flatten(1),
            "tiny": gradient * 1e-25,
            "numbers": torch.cat([gradient.flatten(1).norm(dim=1), torch.zeros(9, dtype=dtype)]),
            "huge": gradient * 1e25,
        }[way]
        batch.flowing((gradient,))
        (value,) = batch.flowing((arranged,))
        rows.add(position, arranged, value)
        squares = arranged.double().square().reshape(len(arranged), -1).sum(1)
        share = pytest.approx(float(squares.max() / squares.sum()))
        expected[position] = {"count": len(arranged), "largest": row, "share": share}
    batch.read()
    assert rows.outstanding([0, 1, 2]) == expected


@pytest.mark.parametrize("count", [3, 4, 400])
@pytest.mark.parametrize("bad", [None, math.nan, math.inf])
def test_rows_of_large_tensors_are_reported_as_their_norms_say(count: int, bad: float | None) -> None:
    """Large tensors are measured one by one: what rules a row out must not hide one that stands out."""
    batch = Batch()
    rows, expected = RowNorms(batch), {}
    for position, factor in enumerate([1.0, 9.0, 40.0, 59.0, 61.0, 1000.0]):
        gradient = torch.rand(count, 50_000 // count)
        gradient[1] *= factor
        if bad is not None:
            gradient[2, 5] = bad
        (value,) = batch.flowing((gradient,))
        rows.add(position, gradient, value)
        if (row := outstanding_rows(gradient.double().norm(dim=1).tolist())) is not None:
            share = {} if bad is not None else {"share": pytest.approx(row["share"])}
            expected[position] = {**row, **share}
    batch.read()
    first = {0: expected[0]} if bad is not None else expected
    assert rows.outstanding(range(6)) == first
    assert bool(expected) == (count > 3 or bad is not None)


def test_what_a_report_says_of_rows() -> None:
    assert outstanding_rows([1.0, 1.0, 1.0, 1.0]) is None
    assert outstanding_rows([0.0, 3.0]) is None  # one of two rows
    assert outstanding_rows([0.0] * 8) is None
    assert outstanding_rows([1.0, 2.0, 9.0, 1.0]) == {"count": 4, "largest": 2, "share": pytest.approx(81 / 87)}
    assert outstanding_rows([1.0, math.nan, 1e300, math.inf]) == {"count": 4, "not_finite": [1, 3], "more": 0}
    assert outstanding_rows([math.nan] * 4) is None
    assert outstanding_rows([*[math.inf] * 10, 1.0]) == {"count": 11, "not_finite": list(range(8)), "more": 2}


def test_the_share_of_a_sample_is_that_of_torch(tmp_path: Path) -> None:
    graph, names = recorded(
        tmp_path,
        HEAD
        + """
    x, y = torch.randn(16, 3), torch.randint(0, 4, (16,))
    scale = torch.ones(16, 1)
    scale[5] = 1e-7
    h = net[0](x)
    loss = F.cross_entropy(net[2](torch.sin(h / scale)), y)
    loss.backward(retain_graph=True)
    gradient = torch.autograd.grad(loss, h)[0]
    """,
    )
    squares = names["gradient"].double().square().sum(1)
    node, count = node_of(graph, "Addmm")
    share = pytest.approx(float(squares[5] / squares.sum()))
    assert graph[node]["rows"] == {"count": 16, "largest": 5, "share": share}
    assert meaning_of_rows(graph, node, count) == RowMeaning("x", True)
    assert first_samples(graph) == (node, RowMeaning("x", True))
    (layout,) = layouts_of([graph])
    assert layout.rows_at is not None and layout.places[layout.rows_at[0]]["name"] == "AddmmBackward0"


def test_rows_that_are_not_finite(tmp_path: Path) -> None:
    graph, names = recorded(
        tmp_path,
        HEAD
        + """
    x, y = torch.randn(6, 3), torch.randn(6, 4)
    x[4] = x[2] = 0
    loss = (net(x / x.norm(dim=1, keepdim=True).requires_grad_()) - y).square().mean()
    out = net((x.requires_grad_() * 1).square().sum(1, keepdim=True).sqrt() * torch.ones(3))
    loss = (out - y).square().mean()
    loss.backward()
    """,
    )
    bad = (~names["x"].grad.isfinite().all(1)).nonzero().flatten().tolist()
    rows = [row["rows"] for _, row in graph.functions() if "not_finite" in row.get("rows", {})]
    assert rows == [{"count": 6, "not_finite": bad, "more": 0}] and bad == [2, 4]
    finding = Finding("non-finite-gradient", "error", "It is NaN", "", None, 1, [], [], {})
    call = BackwardView(BackwardCall(1, None, graph))
    add_rows(finding, call, [call.topology.ids[0]], "largest")
    assert finding.message == "It is NaN"
    add_rows(finding, call, [call.topology.ids[0]], "not_finite")
    assert " 2, 4 of 6 (" in finding.message and "are the first that are not finite" in finding.message


@pytest.mark.parametrize(
    ("text", "name", "is_sample", "tensor"),
    [
        ("x, y = torch.randn(9, 3), torch.randn(9, 4)\nloss = F.mse_loss(net(x), y)", "Tanh", True, "x"),
        ("x = torch.randn(9, 3)\nloss = (net(x) - x[:, :1]).square().mean()", "Tanh", True, "x"),
        ("x, y = torch.randn(9, 3), torch.randn(9, 4)\nloss = (net(x) - y).square().mean()", "Sub", False, "x"),
        (
            "x, y = torch.randn(9, 3), torch.randint(0, 4, (9,))\n"
            "loss = (F.cross_entropy(net(x), y, reduction='none') * torch.rand(9)).sum() / 9",
            "Tanh",
            True,
            "x",
        ),
        # no target has as many rows
        ("x = torch.randn(9, 3)\nloss = net(x).square().mean()", "Tanh", False, "x"),
        # the first dimension is time: the target has another
        (
            "x, y = torch.randn(9, 2, 3), torch.randint(0, 4, (2,))\nloss = F.cross_entropy(net(x)[-1], y)",
            "Tanh",
            False,
            None,
        ),
        # batch first, with positions that a linear layer takes as rows
        (
            "x, y = torch.randn(9, 2, 3), torch.randint(0, 4, (9, 2))\n"
            "loss = F.cross_entropy(net(x).flatten(0, 1), y.flatten())",
            "Tanh",
            True,
            None,
        ),
        # time again, which a recurrence mixes
        (
            "rnn = torch.nn.RNN(3, 5)\nx, y = torch.randn(9, 2, 3), torch.randn(9, 2, 4)\n"
            "loss = F.mse_loss(net[2](rnn(x)[0]), y)",
            "Stack",
            False,
            None,
        ),
        # features first
        (
            "w = torch.randn(9, 3, requires_grad=True)\nx, y = torch.randn(3, 9), torch.randn(9, 9)\n"
            "loss = F.mse_loss((w @ x).tanh(), y)",
            "Tanh",
            False,
            None,
        ),
        # the weight has as many rows as the batch
        (
            "lin = torch.nn.Linear(9, 9)\nx, y = torch.randn(2, 9, 9)\nloss = F.mse_loss(lin(x), y)",
            "TBackward",
            False,
            None,
        ),
        # samples that attend to each other
        (
            "x, y = torch.randn(9, 3), torch.randn(9, 4)\nh = net[0](x)\n"
            "loss = F.mse_loss(net[2]((h @ h.t()).softmax(-1) @ h), y)",
            "Addmm",
            False,
            "x",
        ),
        # a softmax over the batch
        (
            "x, y = torch.randn(9, 3), torch.randn(9, 4)\nloss = F.mse_loss(net(x).softmax(0), y)",
            "Tanh",
            False,
            "x",
        ),
        # chosen rows are others
        (
            "x, y = torch.randn(9, 3), torch.randn(9, 4)\n"
            "loss = F.mse_loss(net(x)[torch.randperm(9)], y)",
            "Tanh",
            False,
            "x",
        ),
    ],
)  # fmt: skip
def test_what_the_rows_are(tmp_path: Path, text: str, name: str, is_sample: bool, tensor: str | None) -> None:
    body = "".join(f"    {line}\n" for line in [*text.splitlines(), "loss.backward()"])
    graph, _ = recorded(tmp_path, HEAD + body)
    assert meaning(graph, name) == RowMeaning(tensor, is_sample)


@pytest.mark.parametrize(
    ("shape", "view", "index"),
    [
        ("12, 2, 3", "x.flatten(1)", "7"),
        ("12, 2, 3", "x.view(12, -1)", "7"),
        ("12, 2, 3", "torch.nn.Flatten()(x)", "7"),
        ("3, 4, 6", "x.view(-1, 6)", "1, 3"),
        ("3, 2, 2, 6", "x.flatten(0, 2)", "1, 1, 1"),
        ("72", "x.view(12, 6)", None),
        ("6, 12", "x.view(12, 6)", None),
    ],
)
def test_the_index_of_a_row_in_a_tensor_that_was_viewed(
    tmp_path: Path, shape: str, view: str, index: str | None
) -> None:
    """The oracle: what is at that index in the script's tensor is what is in the row of the view."""
    text = (
        f"x, y = torch.randn({shape}), torch.randn(12, 2)\nwide = torch.nn.Linear(6, 2)\n"
        f"row = ({view})[7]\nloss = F.mse_loss(wide({view}), y)\nloss.backward()"
    )
    graph, names = recorded(tmp_path, HEAD + "".join(f"    {line}\n" for line in text.splitlines()))
    found = meaning(graph, "Addmm")
    assert (found.tensor, found.are_samples) == (None if index is None else "x", True)
    if index is not None:
        assert found.index(7) == index
        assert torch.equal(names["x"][eval(index)].flatten(), names["row"])


def test_a_batch_of_equal_shares_says_nothing(tmp_path: Path) -> None:
    body = "    x, y = torch.randn(9, 3), torch.randint(0, 4, (9,))\n    F.cross_entropy(net(x), y).backward()\n"
    graph, _ = recorded(tmp_path, HEAD + body)
    assert not [row for _, row in graph.functions() if "rows" in row]


def test_a_trigger_names_its_sample() -> None:
    finding = Finding("gradient-spike", "warning", "A spike", "", None, None, [], [], {})
    rows = {"count": 64, "largest": 17, "share": 0.99987, "tensor": "images"}
    trigger = {"kind": "spike", "step": 3, "backward_call": 3, "parameters": [], "value": 1.0, "rows": rows}
    add_samples(finding, trigger)  # type: ignore[arg-type]
    told = "sample 17 of 64 (images[17], counted from 0) carries 99.98% of the gradient's square"
    assert finding.message == f"A spike; {told}"


@pytest.mark.parametrize("rows", [4, 5, 9])
@pytest.mark.parametrize("stands_out", [False, True])
def test_norms_of_blocks_say_that_rows_are_alike_only_where_they_are(rows: int, stands_out: bool) -> None:
    torch.manual_seed(0)
    gradient = torch.randn(rows, BLOCK * 3 + 77)
    if stands_out:
        gradient[rows // 2] *= 30
    norms: list[float] = []
    statistics(gradient.view(-1), 0, norms)
    alike = not any(share > 0.9 for share in (gradient.norm(dim=1) / gradient.norm()).square().tolist())
    assert alike != stands_out
    assert blocks_are_alike(norms, BLOCK, rows, gradient.numel()) == alike


def test_too_few_blocks_say_nothing_of_rows() -> None:
    assert not blocks_are_alike([], BLOCK, 4, BLOCK)
    assert not blocks_are_alike([1.0] * 7, BLOCK, 4, 7 * BLOCK)


@pytest.mark.parametrize("stands_out", [False, True])
def test_a_large_gradient_with_few_large_elements_has_its_rows(stands_out: bool) -> None:
    gradient = torch.zeros(4, 5 * BLOCK)
    gradient[:, ::1001] = 1.0  # so that one element could be most of a row, but is not
    if stands_out:
        gradient[2] *= 100
    batch = Batch()
    rows = RowNorms(batch)
    rows.add(0, gradient, batch.flowing((gradient,))[0])
    batch.read()
    found = rows.outstanding([0])
    assert ({position: row.get("largest") for position, row in found.items()} == {0: 2}) == stands_out
