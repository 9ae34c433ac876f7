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


def _meanings(graph: Graph) -> dict[str, set[str]]:
    """Name → the tensors and constants of a graph that a figure calls so."""
    found: dict[str, set[str]] = {}
    for identifier, row in graph.tensors():
        found.setdefault(numbered_name(row) or "", set()).add(identifier)
    for _, node in graph.functions():
        for item in node.get("constants", []):
            found.setdefault(numbered_name(item) or "", set()).add(item.get("tensor") or repr(item["value"]))
    found.pop("", None)
    return found


TWICE = {
    "a parameter and an argument": """
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.tensor([0.5, 0.25]))
        def forward(self, x, weight):
            return torch.nn.functional.binary_cross_entropy((x * self.weight).sigmoid(), x, weight=weight)
    net = Net()
    L = net(torch.ones(2), torch.tensor([2.0, 3.0]))
    L.backward()
    """,
    "an argument that is added": """
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = torch.nn.Parameter(torch.tensor([0.5, 0.25]))
        def forward(self, x, bias):
            return (x * 3 * self.bias + bias).exp().sum()
    net = Net()
    L = net(torch.ones(2), torch.tensor([2.0, 3.0]))
    L.backward()
    """,
    "locals of two functions": """
    w = torch.tensor([0.5, 0.25], requires_grad=True)
    def f(w):
        k = torch.tensor([1.0, 2.0])
        return (w.sin() * k).sum()
    def g(w):
        k = torch.tensor([3.0, 4.0])
        return (w.cos() * k).sum()
    L = f(w) * g(w)
    L.backward()
    """,
    "numbers of two functions": """
    w = torch.tensor([0.5, 0.25], requires_grad=True)
    def f(w):
        k = 2.5
        return (w.sin() * k).sum()
    def g(w):
        k = 3.5
        return (w.cos() * k).sum()
    L = f(w) * g(w)
    L.backward()
    """,
    "a global leaf and a local": """
    w = torch.tensor([0.5, 0.25], requires_grad=True)
    def f(v):
        w = v * 2
        (w * globals()["w"]).sin().sum().backward()
    f(torch.tensor([1.0, 2.0], requires_grad=True))
    """,
}


@pytest.mark.parametrize("code", TWICE.values(), ids=TWICE)
def test_what_has_one_name_in_different_code_is_told_apart(code: str, tmp_path: Path) -> None:
    graph, _ = recorded(tmp_path, code)
    found = _meanings(graph)
    assert all(len(meanings) == 1 for meanings in found.values()), found
    assert any(name[-1] in "₁₂" for name in found), "the names of the script meet"


def test_one_tensor_under_two_names_and_two_of_two_names_have_no_numbers(tmp_path: Path) -> None:
    graph, _ = recorded(
        tmp_path,
        """
    a, b = torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2, bias=False)
    b.weight = a.weight
    k = torch.tensor([1.0, 2.0])
    def f(x, c):
        return (b(a(x)) * c).sin().sum()
    L = f(torch.ones(2), k) + (a.weight.exp() * k).sum()
    L.backward()
    """,
    )
    names = _meanings(graph)
    assert not [name for name in names if name[-1] in "₀₁₂"], names
    assert "a.weight" in names and "b.weight" not in names
