"""Names that a script binds several times: each tensor and each number has its pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded import recorded

from inspector.derivatives import total_derivatives
from inspector.graph import Graph
from inspector.graph.tensor_names import numbered_name

RNN = """
    w, u = torch.tensor(0.9, requires_grad=True), torch.tensor(0.5, requires_grad=True)
    h = torch.tensor(0.0)
    for x in [1.0, -0.5, 2.0]:
        h = torch.tanh(w * h + u * x)
    L = (h - 1) ** 2
    L.backward()
"""


def _named(graph: Graph) -> dict[str, list[float]]:
    """Name → the data of the tensors that have it, in the order of the forward."""
    rows = [(numbered_name(row), row["before"]["data"]) for _, row in graph.tensors()]
    names = sorted({name for name, _ in rows if name})
    return {name: [data for found, data in rows if found == name] for name in names}


def _constants(graph: Graph) -> list[str | None]:
    found = [numbered_name(item) for _, row in graph.functions() for item in row.get("constants", [])]
    return found[::-1]


def test_the_states_of_a_loop_have_their_passes(tmp_path: Path) -> None:
    graph, names = recorded(tmp_path, RNN)
    shown = _named(graph)
    assert list(shown) == ["L", "h₀", "h₁", "h₂", "h₃", "u", "w"]
    assert all(len(data) == 1 for data in shown.values())
    assert shown["h₃"] == [names["h"].item()]
    assert [name for name in _constants(graph) if name] == ["x₃", "x₂", "x₁", "h₀"]


def test_formulas_use_the_passes(tmp_path: Path) -> None:
    graph, names = recorded(tmp_path, RNN)
    totals = {graph.tensor(leaf)["name"]: total for leaf, total in total_derivatives(graph).items()}
    assert "h₂" in (totals["w"]["symbol"] or "") and "v1" not in (totals["w"]["symbol"] or "")
    assert totals["w"]["value"] == pytest.approx(names["w"].grad.item(), rel=1e-5)


TEXTS = {
    "x = torch.tensor(2.0, requires_grad=True); x = x + 1; x = x * 2; x.backward()": ["x₀", "x₁", "x₂"],
    "w = torch.tensor(2.0, requires_grad=True); y = w * 3; y = y + w; y.backward()": ["w", "y₁", "y₂"],
    "x = torch.tensor(2.0, requires_grad=True); y = x * 3; z = y + 1; z.backward()": ["x", "y", "z"],
    "w = torch.tensor(2.0, requires_grad=True); s = 0.0\nfor i in [1, 2]:\n    s = s + w * i\ns.backward()": [
        "s₁",
        "s₂",
        "w",
    ],
    "w = torch.tensor(2.0, requires_grad=True)\ny = [w * 1, w * 2]\ny[0] = y[0] * 2; (y[0] + y[1]).backward()": [
        "w",
        "y[0]",
        "y[1]",
    ],
}
"""Programs, and the names of their tensors."""


@pytest.mark.parametrize("text", TEXTS)
def test_tensors_have_a_pass_only_if_their_name_was_bound_again(text: str, tmp_path: Path) -> None:
    graph, _ = recorded(tmp_path, text)
    assert list(_named(graph)) == TEXTS[text]


def test_a_number_that_stays_the_same_has_no_pass(tmp_path: Path) -> None:
    graph, _ = recorded(
        tmp_path,
        """
        lr, w = 0.1, torch.tensor(2.0, requires_grad=True)
        for x in [3.0, 3.0]:
            w = w * lr + x
        w.backward()
        """,
    )
    assert sorted(filter(None, _constants(graph))) == ["lr", "lr", "x₁", "x₂"]
    assert list(_named(graph)) == ["w₀", "w₁", "w₂"]


def test_tensors_of_a_loop_have_their_passes(tmp_path: Path) -> None:
    graph, _ = recorded(
        tmp_path,
        """
        w, loss = torch.tensor(2.0, requires_grad=True), 0
        for x, t in zip(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 0.0])):
            loss = loss + (w * x - t) ** 2
        loss.backward()
        """,
    )
    assert {"loss₀", "x₁", "x₂", "t₁", "t₂"} == set(filter(None, _constants(graph)))
    assert list(_named(graph))[:2] == ["loss₁", "loss₂"]


def test_the_same_name_in_two_functions_is_not_one_variable(tmp_path: Path) -> None:
    graph, _ = recorded(
        tmp_path,
        """
        def one(a):
            y = a * 2
            return y
        def two(a):
            y = a + 1
            return y
        w = torch.tensor(2.0, requires_grad=True)
        z = two(one(w))
        z.backward()
        """,
    )
    assert list(_named(graph)) == ["w", "z"]
