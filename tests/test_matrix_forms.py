"""Gradients in terms of matrices: torch computes what each text says, which must be the gradient it measured."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from recorded import recorded

from inspector.graph import Graph
from inspector.graph.tensor_names import numbered_name

VARIABLES = """
    x, t = torch.tensor([1.0, -2.0]), torch.tensor([1.0, 0.0])
    X = torch.tensor([[1.0, -2.0], [0.5, 3.0], [2.0, 1.0]])
    c, y, one = torch.tensor([0.5, 1.5, -1.0]), torch.tensor([0.0, 1.0, 0.0]), torch.tensor(1.0)
    k = torch.tensor([1, 0])
    W = torch.tensor([[0.5, -0.3], [0.8, 0.1], [-0.6, 0.9]], requires_grad=True)
    V = torch.tensor([[0.2, 0.4, -0.1], [1.0, -0.5, 0.3]], requires_grad=True)
    b = torch.tensor([0.1, 0.0, -0.2], requires_grad=True)
    a = torch.tensor([0.7, 0.4, 1.3], requires_grad=True)
    s = torch.tensor(1.5, requires_grad=True)
"""

FORMS = {
    "h = torch.tanh(W @ x + b); L = (h * c).sum()": ["δ xᵀ", "δ ⊙ (1 - h²)", "δ ⊙ c"],
    "h = W @ x; L = h @ c": ["δ xᵀ", "c"],
    "u = V @ a; L = (u * t).sum()": ["δ aᵀ", "Vᵀ δ"],
    "L = a @ b": ["a", "b"],
    "M = X @ V; L = (M * M).sum()": ["Xᵀ δ", "δ ⊙ M"],
    "M = W @ V; L = M.sum()": ["δ Vᵀ", "Wᵀ δ", "1 for each"],
    "M = torch.addmm(b, X, V); L = M.mean()": ["Xᵀ δ", "Σ δ", "1 / 9 for each"],
    "h = torch.addmv(b, W, x); L = (h ** 2).sum()": ["δ xᵀ", "2 δ ⊙ h", "δ"],
    "h = F.linear(X, W, c); L = (h * h).sum()": ["Xᵀ δ", "δᵀ"],
    "p = torch.sigmoid(a); L = (p * c).sum()": ["δ ⊙ p ⊙ (1 - p)"],
    "e = torch.exp(a); L = (e * c).sum()": ["δ ⊙ e"],
    "l = torch.log(a); L = (l * c).sum()": ["δ / a"],
    "r = torch.relu(a - one); L = (r * c).sum()": ["δ ⊙ 1[a - one > 0]", "δ"],
    "q = torch.sqrt(a); L = (q * c).sum()": ["δ / (2 q)"],
    "q = c / a; L = (q * c).sum()": ["-δ ⊙ c / a²"],
    "q = a / b.exp(); L = (q * c).sum()": ["δ / b.exp()"],
    "d = c - a; L = (d ** 2).mean()": ["-δ", "2 δ ⊙ d", "1 / 3 for each"],
    "q = s * c; L = (q * c).sum()": ["Σ δ ⊙ c", "δ ⊙ c"],
    "q = a + s; L = (q * c).sum()": ["Σ δ", "δ"],
    "O = torch.outer(a, x); L = (O * X).sum()": ["Σ δ ⊙ x"],
    "m = W.mean(dim=0); L = (m * x).sum()": ["δ / 3 for each"],
    "m = W.sum(dim=1, keepdim=True); L = (m * m).sum()": ["δ for each", "δ ⊙ m"],
    "p = torch.softmax(a, 0); L = (p * c).sum()": ["p ⊙ (δ - pᵀ δ)"],
    "p = torch.softmax(a / 100, 0); L = (p * (c + 100)).sum()": ["p ⊙ (δ - pᵀ δ)", "δ / 100"],
    "B = X.T @ W; L = (X @ B.T @ W.T).sum()": ["X δ", "Xᵀ δ", "δ W", "δᵀ"],
    "h = W.T @ c; L = (h * h).sum()": ["δᵀ", "δ ⊙ h"],
    "q = torch.sin(a); L = (q * c).sum()": ["δ ⊙ cos(a)"],
    "L = F.mse_loss(a, c)": ["2 (a - c) / 3"],
    "B = W.T; L = (B * V).sum()": ["δᵀ", "δ ⊙ V", "δ ⊙ B"],
    "g = torch.add(a, b, alpha=2); L = (g * c).sum()": ["2 δ", "δ"],
    "h = torch.zeros(3)\nfor i in [0, 1]:\n    h = torch.tanh(W @ x + h * a)\nL = h.sum()": [
        "δ ⊙ (1 - h₁²)",
        "δ ⊙ (1 - h₂²)",
        "δ ⊙ h₁",
    ],
}
"""Programs, and forms that their graphs have."""


@pytest.mark.parametrize("text", FORMS)
def test_the_forms_of_matrices_are_the_measured_gradients(text: str, tmp_path: Path) -> None:
    graph, variables = recorded(tmp_path, f"{VARIABLES}{_indented(text)}\n    L.backward()\n")
    tensors = {name: _column(value.detach()) for name, value in variables.items() if torch.is_tensor(value)}
    found = {}
    for source, _, edge in graph.edges("next"):
        if "matrix" in edge:
            found[edge["matrix"]] = edge
            computed = _evaluated(edge["matrix"], tensors | _names(graph), graph.function(source)["gradient"])
            measured = torch.tensor(edge["gradient"])
            assert torch.allclose(_fitted(computed, measured), _column(measured), rtol=1e-4, atol=1e-6), edge
    assert set(FORMS[text]) <= found.keys()


def _indented(text: str) -> str:
    return "\n".join("    " + line for line in text.replace("; ", "\n").splitlines())


_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
"""Python allows no subscripts in names."""


def _names(graph: Graph) -> dict[str, torch.Tensor]:
    rows: list[Any] = [(row, row["before"]["data"]) for _, row in graph.tensors()]
    rows += [(item, item["value"]) for _, row in graph.functions() for item in row.get("constants", [])]
    named = [(name.translate(_DIGITS), value) for row, value in rows if (name := numbered_name(row))]
    return {name: _column(torch.tensor(value)) for name, value in named}


def _column(tensor: torch.Tensor) -> torch.Tensor:
    """A vector as a column, so that its transpose is a row."""
    return tensor.double().reshape(-1, 1) if tensor.ndim < 2 else tensor.double()


def _evaluated(text: str, names: dict[str, torch.Tensor], delta: Any) -> torch.Tensor:
    """What a mathematician reads: two letters side by side are a product, ⊙ is one of elements."""
    python = re.sub(r"1\[([^]]*)\]", r"(\1)", text.removeprefix("Σ ").removesuffix(" for each"))
    python = re.sub(r"(?<=[\w)ᵀ]) (?=[\w(])", " @ ", python)
    for sign, of_python in {"²": "**2", "ᵀ": ".T", "⊙": "*", "·": "*"}.items():
        python = python.replace(sign, of_python)
    python = python.translate(_DIGITS)
    functions = {"cos": lambda x: _Matrix(torch.cos(x.tensor))}
    matrices = {name: _Matrix(tensor) for name, tensor in {**names, "δ": _column(torch.tensor(delta))}.items()}
    found = eval(_with_numbers(python), {}, {**functions, **matrices, "_Matrix": _Matrix, "torch": torch})
    return found.tensor


def _with_numbers(python: str) -> str:
    return re.sub(r"(?<![\w.*₀-₉])(\d+)(?![\w.])", r"_Matrix(torch.tensor([[\1.0]]))", python)


class _Matrix:
    """A matrix whose product with a single number is that of its elements."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor.double()

    @property
    def T(self) -> _Matrix:
        return _Matrix(self.tensor.T)

    def exp(self) -> _Matrix:
        return _Matrix(self.tensor.exp())

    def __matmul__(self, other: _Matrix) -> _Matrix:
        is_number = self.tensor.numel() == 1 or other.tensor.numel() == 1
        return self * other if is_number else _Matrix(self.tensor @ other.tensor)

    def __mul__(self, other: _Matrix) -> _Matrix:
        rows, columns = self.tensor.shape
        if columns > 1 and rows != other.tensor.shape[0] and other.tensor.shape[1] == 1:
            return _Matrix(self.tensor * other.tensor.T)  # a vector beside the rows of a matrix
        return _Matrix(self.tensor * other.tensor)

    def __truediv__(self, other: _Matrix) -> _Matrix:
        return _Matrix(self.tensor / other.tensor)

    def __add__(self, other: _Matrix) -> _Matrix:
        return _Matrix(self.tensor + other.tensor)

    def __sub__(self, other: _Matrix) -> _Matrix:
        return _Matrix(self.tensor - other.tensor)

    def __neg__(self) -> _Matrix:
        return _Matrix(-self.tensor)

    def __pow__(self, power: int) -> _Matrix:
        return _Matrix(self.tensor**power)

    def __gt__(self, other: Any) -> _Matrix:
        return _Matrix(self.tensor > (other.tensor if isinstance(other, _Matrix) else other))


def _fitted(computed: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
    """The computed gradient in the shape of the measured one: spread, or summed over what was broadcast."""
    wanted = _column(measured)
    if computed.numel() < wanted.numel():
        beside = computed.T if computed.T.shape[1:] == wanted.shape[1:] else computed
        return beside.expand_as(wanted)
    if computed.numel() > wanted.numel():
        axis = next((axis for axis in (0, 1) if computed.shape[1 - axis] == wanted.numel()), None)
        return (computed.sum() if axis is None else computed.sum(axis)).reshape(wanted.shape)
    return computed.reshape(wanted.shape)


CLOSED = {
    "p = torch.sigmoid(W @ x); L = -(y @ torch.log(p)) - (1 - y) @ torch.log(1 - p)": "p - y",
    "p = torch.sigmoid(a); L = -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).sum()": "p - y",
    "p = torch.sigmoid(a); L = -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()": "(p - y) / 3",
    "p = torch.sigmoid(a); L = F.binary_cross_entropy(p, y)": "(p - y) / 3",
    "p = torch.softmax(a, 0); L = -(y * torch.log(p)).sum()": "p - y",
    "p = torch.softmax(a, 0); L = -torch.log(p[2])": "p - (0, 0, 1)",
    "e = torch.exp(a); p = e / e.sum(); L = -torch.log(p[1])": "p - (0, 1, 0)",
    "L = F.cross_entropy(V, k)": "(softmax(V) - onehot(k)) / 2",
    "L = F.cross_entropy(V, k, reduction='sum')": "softmax(V) - onehot(k)",
    "L = -(y * F.log_softmax(a, 0)).sum()": "softmax(a) - y",
    "p = torch.sigmoid(s); L = -torch.log(p)": "p - 1",
    "p = torch.softmax(a, 0); L = (p * c).sum()": None,
    "p = torch.sigmoid(a); L = ((p - y) ** 2).sum()": None,
}
"""Losses, and the gradient of their logits in one step."""


@pytest.mark.parametrize("text", CLOSED)
def test_a_cross_entropy_has_its_textbook_gradient(text: str, tmp_path: Path) -> None:
    graph, _ = recorded(tmp_path, f"{VARIABLES}{_indented(text)}\n    L.backward()\n")
    forms = [row["closed_form"] for _, row in graph.functions() if "closed_form" in row]
    assert forms == ([] if CLOSED[text] is None else [CLOSED[text]])


def test_a_gradient_that_a_hook_changed_has_no_form(tmp_path: Path) -> None:
    text = "    W.register_hook(lambda g: g * 2)\n    L = (W @ x) @ c\n    L.backward()\n"
    graph, _ = recorded(tmp_path, VARIABLES + text)
    forms = {graph.function(source)["name"]: edge.get("matrix") for source, _, edge in graph.edges("next")}
    assert forms == {"DotBackward0": "c", "MvBackward0": "δ xᵀ"}  # the hook runs at the leaf, after the edge


def test_a_custom_function_has_no_form(tmp_path: Path) -> None:
    graph, _ = recorded(
        tmp_path,
        VARIABLES
        + """
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2
        @staticmethod
        def backward(ctx, g):
            return g * 3
    L = (Wrong.apply(a) * c).sum()
    L.backward()
    """,
    )
    forms = {graph.function(source)["name"]: edge.get("matrix") for source, _, edge in graph.edges("next")}
    assert forms == {"SumBackward0": "1 for each", "MulBackward0": "δ ⊙ c", "WrongBackward": None}


@pytest.mark.parametrize("end", ["y.backward(torch.ones(3))", "y.backward(torch.tensor([1.0, 2.0, 0.5]))"])
def test_a_root_that_is_a_vector_has_no_closed_form(tmp_path: Path, end: str) -> None:
    program = f"{VARIABLES}    p = torch.softmax(a, 0)\n    y = torch.log(p)\n    {end}\n"
    graph, names = recorded(tmp_path, program)
    functions = [row for _, row in graph.functions()]
    assert functions and not any("closed_form" in row for row in functions)
    assert "remarks" not in names["recording"].report().recording, "no internal error"
    assert any("matrix" in edge for *_, edge in graph.network.edges(data=True)), "the other forms are there"
