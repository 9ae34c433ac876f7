"""The description of a figure, for those who cannot see it: every value that is known is in it."""

# ruff: noqa: RUF001 (figures have the minus sign)
from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from recorded import recorded

import inspector

PROGRAMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "scalars": (
        "x, w = torch.tensor(3.0, requires_grad=True), torch.tensor(-0.5, requires_grad=True)\nz = w * x**2",
        ("x", "w", "z"),
    ),
    "matrices": (
        "weight, x = torch.randn(3, 4, requires_grad=True), torch.randn(5, 3)\n"
        "h = torch.relu(x @ weight)\nz = h.square().mean()",
        ("weight", "h", "z"),
    ),
    "layers": (
        "net = torch.nn.Sequential(*(torch.nn.Linear(3, 3) for _ in range(12)))\n"
        "z = net(torch.ones(2, 3)).square().sum()",
        ("z", "0.weight", "11.bias"),
    ),
    "half of it frozen": (
        "net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))\n"
        "net[0].requires_grad_(False)\nz = net(torch.ones(2, 3)).sum()",
        ("z", "1.weight", "1.bias"),
    ),
    "infinities": (
        "x = torch.tensor([0.0, -1.0], requires_grad=True)\ny = torch.log(x)\nz = y.sum()",
        ("x", "y", "z"),
    ),
    "a grad that is added to": (
        "x = torch.tensor(2.0, requires_grad=True)\nx.grad = torch.tensor(10.0)\nz = x**3",
        ("x", "z"),
    ),
}
"""Programs that compute z, and names of tensors in them."""


def described(picture: Any) -> list[str]:
    """The lines of the description in an SVG: the heading, then one for each tensor."""
    root = ElementTree.fromstring(picture.svg())
    (text,) = [element.text for element in root.iter() if element.tag.endswith("}desc")]
    return (text or "").splitlines()


def written(tensor: torch.Tensor | None) -> str:
    """How the description writes a value of torch."""
    if tensor is None:
        return "None"
    if tensor.numel() > 9:
        kind = str(tensor.dtype).removeprefix("torch.")
        return f"{kind}{list(tensor.shape)} norm {_number(float(tensor.detach().norm()))}"
    numbers = tensor.detach()
    if numbers.dim() == 0:
        return _number(numbers.item())
    rows = [f"[{', '.join(map(_number, row))}]" for row in numbers.reshape(-1, numbers.shape[-1]).tolist()]
    return " ".join(rows)


def _number(number: float) -> str:
    return f"{number:.4g}".replace("-", "−")


def tensor_of(names: dict[str, Any], name: str) -> torch.Tensor:
    path, _, last = name.rpartition(".")
    found: torch.Tensor = names[name] if not path else getattr(names["net"][int(path)], last)
    return found


@pytest.mark.parametrize("style", [None, "modules"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_value_is_said_before_and_after_backward(tmp_path: Path, program: str, style: Any) -> None:
    text, shown = PROGRAMS[program]
    torch.manual_seed(0)
    graph, names = recorded(tmp_path, f"{text}\nbefore = inspector.draw(z, style={style!r})\nz.backward()")
    earlier, after = described(names["before"]), described(inspector.draw(graph, style=style))
    assert (earlier[0], after[0]) == ("tensor: data; grad", "tensor: data; grad before → after")
    assert "?" not in "".join(earlier + after)
    for name in shown:
        tensor = tensor_of(names, name)
        first, last = (next(line for line in lines if line.startswith(f"{name}: ")) for lines in (earlier, after))
        assert f"data {written(tensor)}; grad " in first and f"data {written(tensor)}; grad " in last
        grad = written(tensor.grad if tensor.is_leaf else None)
        assert last.removesuffix(" (not a leaf)").endswith(f" → {grad}")
        assert "→" not in first


TITLES: dict[str, tuple[str, str]] = {
    "comments between the lines": (
        "z = (\n    (x - y)  # the residual: {not a placeholder} 100 %\n    .pow(2)\n"
        '    # "half" a comment, ‖x‖₂ → ∞\n    .mean()\n) + 0.1 * x.sum()  # λ=0.1',
        "z = ((x - y).pow(2).mean()) + 0.1 * x.sum()",
    ),
    "a sign that is no comment": ('z = (x * y).sum() * len("# two")', 'z = (x * y).sum() * len("# two")'),
    "a text beside it": ('f"{(x * y).sum()}"; z = (x / y).sum()  # {z}', "z = (x / y).sum()"),
    "a walrus": ("if (z := (x * y).sum()) > -9: pass  # yes", "if (z := (x * y).sum()) > -9: pass"),
    "letters of other scripts": ("é = x * y; Δ = é.exp()\nz = Δ.mean() + é.sum()  # ∑", "z = Δ.mean() + é.sum()"),
    "arguments over lines": (
        "z = F.mse_loss(\n    x,  # predicted\n    y,  # wanted\n)",
        "z = F.mse_loss(x, y,)",
    ),
}
"""Programs that compute z, and the code in the title of their figures."""


@pytest.mark.parametrize("program", TITLES)
def test_titles_have_code_alone(tmp_path: Path, program: str) -> None:
    text, code = TITLES[program]
    given = "x, y = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 5.0])"
    graph, _ = recorded(tmp_path, f"{given}\n{text}\nz.backward()")
    root = ElementTree.fromstring(inspector.draw(graph).svg())
    (title,) = [element.text for element in root if element.tag.endswith("}title")]
    assert title == f"{code}: before and after z.backward()"
