"""Nearly all edges of scalars have a symbol; `tests/symbols.py` counts all scripts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from symbols import FOLDERS, Count, add, count_of

import inspector

COURSE = FOLDERS[0]


def test_scalar_edges_of_a_first_course_have_symbols() -> None:
    topics = ("chain_*", "paths_*", "neuron_*", "second_*")
    scripts: list[Path] = sorted(script for topic in topics for script in COURSE.glob(f"{topic}.py"))
    count = count_of(scripts)
    assert count.edges > 60 and count.share >= 0.98, count.without


def test_an_edge_without_a_symbol_is_counted() -> None:
    x = torch.tensor(0.0, requires_grad=True)
    with inspector.record() as recording:
        torch.sqrt(x).backward()
    count = Count()
    add(count, recording.calls[0].graph, "root")
    assert (count.edges, count.share) == (1, 0.0) and "SqrtBackward0 → AccumulateGrad" in count.without[0]


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_the_backward_of_a_function_has_symbols(name: str) -> None:
    x = torch.tensor(0.7, requires_grad=True)
    with inspector.record() as recording:
        (slope,) = torch.autograd.grad(getattr(torch, name)(2 * x), x, create_graph=True)
        (slope**2).backward()
    count = Count()
    add(count, recording.calls[-1].graph, name)
    assert count.edges >= 5 and not count.without


def losses(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    one = torch.tensor(1.0)
    of_both = F.huber_loss(x, y) + F.smooth_l1_loss(y, x) + F.mse_loss(x, y) + F.l1_loss(x, y)
    of_one = F.binary_cross_entropy(x, one) + F.binary_cross_entropy_with_logits(y, one)
    return of_both + of_one + F.soft_margin_loss(y, one)


def activations(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    curved = F.celu(-x) + F.selu(y) + F.elu(x - y) + F.softplus(x, 2) + F.mish(x) + F.silu(y) + F.logsigmoid(x)
    bent = F.hardsigmoid(y) + F.leaky_relu(x - y) + F.hardswish(x) + F.relu6(y) + F.softsign(x)
    return curved + bent + F.tanhshrink(y) + F.gelu(x, approximate="tanh")


def functions_of_two(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    smooth = torch.hypot(x, y) + torch.atan2(x, y) + torch.logaddexp(x, y) + torch.special.xlogy(x, y)
    rest = torch.fmod(y, 0.7) + torch.remainder(y, 0.4) + torch.ldexp(x, torch.tensor(2))
    return smooth + rest + torch.lerp(x, y, 0.3) + torch.addcmul(x, x, y) + torch.addcdiv(y, x, y)


def reductions(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    both = torch.stack([x, y])
    middle = both.prod() + both.max() + both.median() + both.cumsum(0)[1]
    return middle + both.logsumexp(0) + both.softmax(0)[0] + both.norm() + both.var() + both.std()


def flat_functions(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    passed = (torch.round(x * 3) - x).detach() + x
    flat = torch.floor(y) * x + torch.sign(y) * y + torch.trunc(y) + torch.frac(y)
    return passed + flat + torch.clamp(x, min=0.1, max=0.2) + torch.clamp(y, max=5) + torch.where(x > y, x, y)


def ties(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    halves = torch.maximum(x, x * 1) + torch.minimum(y, y * 1) + torch.stack([x, x]).max()
    return halves + torch.stack([y, y]).amax() + torch.relu(x - x) + torch.abs(y - y)


@pytest.mark.parametrize("program", [losses, activations, functions_of_two, reductions, flat_functions, ties])
def test_every_edge_of_a_formula_has_a_symbol(program: Callable[..., Any]) -> None:
    """Each times what arrives is torch's gradient."""
    x, y = torch.tensor(0.4, requires_grad=True), torch.tensor(1.5, requires_grad=True)
    with inspector.record() as recording:
        program(x, y).backward()
    count = Count()
    add(count, recording.calls[0].graph, "sum")
    assert count.edges >= 15 and count.without == []
