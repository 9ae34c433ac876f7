"""A loss that one line made: what it is called follows from what its functions compute."""

# ruff: noqa: RUF001 (figures have the minus sign)
from __future__ import annotations

from pathlib import Path

import pytest
from recorded import recorded

from inspector.styles.loss_group import loss_group

VARIABLES = """
    W = torch.tensor([[0.5, -0.3], [0.8, 0.1]], requires_grad=True)
    x, t, w = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]), torch.tensor([3.0, 1.0])
    z = W @ x
"""

NAMES = {
    "y = torch.tanh(z)\nL = ((y - t) ** 2).sum()": "squared error",
    "y = torch.tanh(z)\nL = ((y - t) * (y - t)).mean()": "loss",  # two differences
    "y = torch.tanh(z)\nL = 0.5 * ((t - y) ** 2).sum()": "squared error",
    "y = torch.tanh(z)\nL = ((y - t) ** 2).sum() / 2": "squared error",
    "y = torch.tanh(z)\nL = ((y - t) ** 3).sum()": "((y−t)³).sum()",
    "y = torch.tanh(z)\nL = ((y - t) * w).sum()": "loss",
    "y = torch.tanh(z)\nL = (w * (y - t) ** 2).sum()": "loss",  # weighted: not what one calls it
    "y = torch.tanh(z)\nL = ((y - t) ** 2 - (y - w) ** 2).sum()": "loss",
    "p = torch.sigmoid(z)\nL = -(t * torch.log(p) + (1 - t) * torch.log(1 - p)).sum()": "cross entropy",
    "p = torch.softmax(z, 0)\nL = -(t * torch.log(p)).sum()": "cross entropy",
    "p = torch.softmax(z, 0)\nL = -torch.log(p[0] + 1e-8) * 1.0": "cross entropy",
    "p = torch.exp(z) / torch.exp(z).sum()\nL = -(t * torch.log(p)).sum()": "cross entropy",
    "L = torch.nn.functional.cross_entropy(z, torch.tensor(1))": "cross entropy",
    "y = torch.tanh(z)\nhits = ((y - t) * w).sum()": "((y−t)·w).sum()",  # not said to be a loss
    "s = z.exp()\nL = -(t * torch.log(s)).sum()": "loss",  # a barrier: no probability
    "p = torch.sigmoid(z)\nL = -(p * torch.log(p)).sum()": "loss",  # an entropy: weighted by itself
    "p = torch.sigmoid(z)\nL = (t * torch.log(p)).sum() * 1.0": "loss",  # a likelihood: no minus
}


def program_of(*lines: str) -> str:
    return VARIABLES + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize("program", NAMES)
def test_the_name(program: str, tmp_path: Path) -> None:
    root = program.splitlines()[-1].partition(" = ")[0]
    group = loss_group(recorded(tmp_path, program_of(*program.split("\n"), f"{root}.backward()"))[0])
    assert group is not None and group.name == NAMES[program]


def test_what_another_line_reads_is_no_part_of_it(tmp_path: Path) -> None:
    lines = ["d = W @ x - t", "n = (d ** 2).sum(); L = n + d.sum()", "L.backward()"]
    group = loss_group(recorded(tmp_path, program_of(*lines))[0])
    assert group is not None and len(group.members) == 4 and group.name == "n+d.sum()"


def test_one_line_that_makes_everything_is_no_group(tmp_path: Path) -> None:
    graph, _ = recorded(tmp_path, VARIABLES.replace("z = W @ x", "L = ((W @ x - t) ** 2).sum()\n    L.backward()"))
    assert loss_group(graph) is None
