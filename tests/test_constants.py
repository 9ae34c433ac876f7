"""The operands that need no gradient, and the order of all operands; torch computes each operation again."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from recorded import recorded

import inspector
from inspector.graph import Graph, from_rows, to_rows
from inspector.graph.node_names import op_of
from inspector.graph.topology import topology_of
from inspector.scene import Panel, TextRun

VARIABLES = """
    import math
    v = torch.tensor([0.2, 0.5, 0.7], requires_grad=True)
    s = torch.tensor(0.4, requires_grad=True)
    W = torch.tensor([[0.5, -0.3, 0.1], [0.8, 0.1, 0.4]], requires_grad=True)
    B = torch.tensor([[[0.5, 1.0], [2.0, -1.0]]], requires_grad=True)
    c, d = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, 0.25, 1.0])
    X = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 2.0]])
    b, lr, k = torch.tensor([0.1, 0.2]), 0.1, 3
    target, mask = torch.tensor([0, 2]), torch.tensor([True, False, True])
"""

REPLAYED = [
    "v + c", "c + v", "v + 1", "1 + v", "v - c", "c - v", "v - lr", "lr - v", "1 - s", "v * c", "c * v",
    "lr * v", "v * lr", "2 * s", "v / c", "c / v", "v / 2", "v ** 2", "2 ** v", "v ** c", "c ** v", "k ** s",
    "torch.add(v, c, alpha=2)", "torch.sub(c, v, alpha=lr)", "torch.rsub(v, c)", "torch.mul(c, v)",
    "v.mul(c)", "v.pow(exponent=3)", "torch.pow(2, v)", "torch.maximum(c, v)", "torch.minimum(v, c)",
    "torch.atan2(c, v)", "torch.hypot(v, c)", "torch.logaddexp(c, v)", "torch.xlogy(c, v)", "torch.fmod(v, lr)",
    "torch.remainder(v, c)", "torch.copysign(v, c)", "torch.lerp(v, c, 0.3)", "torch.lerp(c, v, d)",
    "torch.addcmul(c, v, d)", "torch.addcdiv(v, c, d, value=0.5)", "torch.where(mask, v, c)",
    "torch.where(mask, c, v)", "v.masked_fill(mask, 0.5)", "torch.clamp(v, min=0.3, max=0.6)",
    "v.clamp(max=0.3)", "torch.clamp(v, c * 0, d)", "W @ c", "X @ W.T", "c @ v", "torch.mv(W, c)",
    "torch.mv(X, v)", "torch.dot(c, v)", "torch.mm(X, W.T)", "torch.bmm(B, B.detach() * 2)",
    "torch.addmm(b, X, W.T)", "torch.addmv(b, W, c)", "torch.ger(v, c)", "F.linear(X, W, b)",
    "F.mse_loss(v, c)", "F.mse_loss(c, v)", "F.huber_loss(v, c)", "F.smooth_l1_loss(v, c)",
    "F.binary_cross_entropy(v, d)", "F.binary_cross_entropy_with_logits(v, d)", "F.leaky_relu(v, 0.2)",
    "F.elu(v, 0.5)", "F.softplus(v, 2)", "F.threshold(v, 0.3, 0.1)", "torch.cat([c, v, d])",
    "torch.stack((v, c))", "F.embedding(target, W.T)", "W.index_select(1, target)", "W.gather(1, target[:, None])",
    "torch.outer(v, c)", "(v * c).sum() * lr",
]  # fmt: skip
"""Expressions whose Nodes torch can compute again from their operands."""

_LISTS = ("cat", "stack")


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Graph, dict[str, Any]]:
    lines = [f"    y{number} = {text}" for number, text in enumerate(REPLAYED)]
    ends = "    torch.autograd.backward([y.sum() for y in ["
    ends += ", ".join(f"y{number}" for number in range(len(REPLAYED))) + "]])\n"
    return recorded(tmp_path_factory.mktemp("replayed"), VARIABLES + "\n".join(lines) + "\n" + ends)


def _value(graph: Graph, function: str) -> torch.Tensor:
    return torch.tensor(graph.function(function)["before"]["data"])


def _inputs(graph: Graph, function: str) -> dict[int, torch.Tensor]:
    """The values of the operands with a gradient, by position."""
    row = graph.function(function)
    edges = [(target, edge["slot"]) for source, target, edge in graph.edges("next") if source == function]
    positions = row.get("slot_positions")
    return {slot if positions is None else positions[slot]: _value(graph, target) for target, slot in edges}


@pytest.mark.parametrize("number", range(len(REPLAYED)), ids=REPLAYED)
def test_torch_computes_the_result_from_the_operands(
    number: int, replayed: tuple[Graph, dict[str, Any]]
) -> None:
    graph, names = replayed
    (tensor,) = [key for key, row in graph.tensors() if row["name"] == f"y{number}"]
    function, _ = topology_of(graph).makers[tensor]
    row = graph.function(function)
    operands: dict[int, Any] = dict(_inputs(graph, function))
    for constant in row.get("constants", []):
        assert constant["position"] not in operands
        is_tensor = "shape" in constant
        value = constant["value"]
        operands[constant["position"]] = torch.tensor(value, dtype=_dtype(constant)) if is_tensor else value
    op = op_of(row["name"]).partition(".")[0]
    result = _again(op, row, operands)
    expected = names[f"y{number}"].detach()
    assert torch.allclose(result.reshape(expected.shape), expected, atol=1e-6), (row, operands)


def _dtype(constant: Any) -> torch.dtype:
    found: torch.dtype = getattr(torch, constant["dtype"])
    return found


def _again(op: str, row: Any, operands: dict[int, Any]) -> torch.Tensor:
    """torch's operation `op` at these operands, with the other arguments as its Node saved them."""
    ordered = [operands.get(position) for position in range(max(operands) + 1)]
    if op in _LISTS:
        return getattr(torch, op)(ordered)
    function = getattr(torch.ops.aten, op)
    others = {name: row["attributes"][name] for name in ("reduction", "dim") if name in row["attributes"]}
    if op in ("mse_loss", "huber_loss", "smooth_l1_loss", "binary_cross_entropy"):
        return function(*ordered, **({"reduction": others["reduction"]} if "reduction" in others else {}))
    if op in ("index_select", "gather"):
        return function(ordered[0], others["dim"], ordered[1])
    if op in _WITH_FACTOR and len(ordered) > _WITH_FACTOR[op]:
        factor = ordered.pop()
        return function(*ordered, **{_FACTOR.get(op, "alpha"): factor})
    return function(*ordered)


_WITH_FACTOR = {"add": 2, "sub": 2, "addcmul": 3, "addcdiv": 3}
_FACTOR = {"addcmul": "value", "addcdiv": "value"}
"""Operations whose last operand has to be given by name."""


NAMED = {
    "lr * v": [("lr", None, 0.1)],
    "v * lr": [("lr", None, 0.1)],
    "1 - v": [(None, None, 1)],
    "v * (2 * math.pi)": [(None, "2 * math.pi", 2 * math.pi)],
    "v + c * 2": [(None, "c * 2", [2.0, 4.0, 6.0])],
    "W @ c": [("c", None, [1.0, 2.0, 3.0])],
    "F.cross_entropy(W, target)": [("target", None, [0, 2])],
    "F.cross_entropy(W, torch.tensor([1, 1]))": [(None, "torch.tensor([1, 1])", [1, 1])],
    "torch.where(mask, v, -1.0)": [("mask", None, [True, False, True]), (None, None, -1.0)],
    "F.linear(c, W)": [("c", None, [[1.0, 2.0, 3.0]])],
    "v.relu()": [],
    "v.reshape(3, 1)": [],
    "v.sum(0)": [],
}
"""Expressions, and (name, expression, value) of the constants of their Nodes."""


@pytest.mark.parametrize("text", NAMED)
def test_constants_have_the_names_of_the_script(text: str, tmp_path: Path) -> None:
    graph, _ = recorded(tmp_path, f"{VARIABLES}    y = {text}\n    y.sum().backward()\n")
    constants = [constant for _, row in graph.functions() for constant in row.get("constants", [])]
    found = [(item["name"], item.get("expression"), item["value"]) for item in constants]
    assert found == NAMED[text]


def test_what_a_variance_subtracts_is_no_operand(tmp_path: Path) -> None:
    text = "L = v.var(unbiased=False) + v.std(correction=0)\n    L.backward()\n"
    graph, _ = recorded(tmp_path, f"{VARIABLES}    {text}")
    rows = [row for _, row in graph.functions() if row["name"] in ("VarBackward0", "StdBackward0")]
    assert len(rows) == 2 and not any("constants" in row for row in rows)


def test_a_large_constant_has_its_shape(tmp_path: Path) -> None:
    text = "w, m = torch.ones(400, requires_grad=True), torch.ones(400)\n(w + m).sum().backward()"
    graph, _ = recorded(tmp_path, text)
    (constant,) = [constant for _, row in graph.functions() for constant in row.get("constants", [])]
    assert (constant["name"], constant["shape"]) == ("m", [400])
    assert "unknown" in constant["value"]


def test_a_constant_that_is_written_later_has_the_value_of_its_use(tmp_path: Path) -> None:
    graph, _ = recorded(
        tmp_path,
        """
        w, m = torch.ones(2, requires_grad=True), torch.ones(2)
        y = w + m
        m.fill_(7.0)
        y.sum().backward()
        """,
    )
    assert [item["value"] for _, row in graph.functions() for item in row.get("constants", [])] == [[1.0, 1.0]]


def test_a_name_of_the_script_is_no_number_in_a_report(tmp_path: Path) -> None:
    graph, _ = recorded(
        tmp_path,
        """
        inf, w = float("inf"), torch.tensor(2.0, requires_grad=True)
        y = torch.clamp(w, max=inf)
        y.backward()
        """,
    )
    rows = json.loads(json.dumps(to_rows(graph), allow_nan=False))
    (constant,) = [item for _, row in from_rows(rows).functions() for item in row.get("constants", [])]
    assert (constant["name"], constant["value"]) == ("inf", math.inf)


MASKS = {
    "h = torch.where(x > 0, x, 0.1 * x)": "x>0",
    "h = x.masked_fill(x < -1, 0.5)": "x<−1",  # noqa: RUF001
    "h = torch.where((x > 0) & (x < 2), x, x * 0)": "(x>0)&(x<2)",
    "h = x.masked_fill(~keep, 0.0)": "~keep",
    "h = x * (x.abs() > 1)": "x.abs()>1",
    "h = torch.where(keep, x, 2 * x)": "keep",  # a mask with a name has it
}


@pytest.mark.parametrize("line", MASKS)
def test_a_mask_says_its_condition(tmp_path: Path, line: str) -> None:
    """In the circuit, a mask without a name is labelled by its source text."""
    given = "x, keep = torch.tensor([1.0, -2.0, 3.0], requires_grad=True), torch.tensor([True, False, True])"
    graph, _ = recorded(tmp_path, f"{given}\n{line}\nh.sum().backward()")
    panels = inspector.draw(graph, style="circuit").figure.scene.panels
    texts = [run.text for panel in panels for run in _runs(panel)]
    assert MASKS[line] in texts, texts


def _runs(panel: Panel) -> list[TextRun]:
    return [run for box in panel.boxes for run in box.texts]
