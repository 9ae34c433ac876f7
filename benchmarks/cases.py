"""The graphs that are measured. Each case makes the root of one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Case = Callable[[], Any]


def _mlp() -> Any:
    import torch
    from torch import nn

    layers = [layer for _ in range(8) for layer in (nn.Linear(32, 32), nn.ReLU())]
    return nn.Sequential(*layers)(torch.randn(4, 32)).pow(2).mean()


def _gpt(layers: int) -> Any:
    import torch
    import torch.nn.functional as F

    from benchmarks.models import GPT

    ids = torch.randint(0, 100, (2, 32))
    return F.cross_entropy(GPT(layers, 32)(ids).flatten(0, 1), ids.flatten())


def _lstm(steps: int) -> Any:
    import torch
    from torch import nn

    cell = nn.LSTMCell(8, 16)
    state = (torch.zeros(4, 16), torch.zeros(4, 16))
    for step in torch.randn(steps, 4, 8):
        state = cell(step, state)
    return state[0].mean()


def _chain(length: int) -> Any:
    import torch

    x = torch.ones(2, requires_grad=True)
    for _ in range(length):
        x = x.sin()
    return x.sum()


def _dag(count: int) -> Any:
    import torch

    chosen = random.Random(0)
    tensors = [torch.randn(3, requires_grad=True) for _ in range(20)]
    for _ in range(count):
        one, other = chosen.choice(tensors[-200:]), chosen.choice(tensors[-200:])
        tensors.append(one * other if chosen.random() < 0.5 else one.sin() + other)
    return sum(tensor.mean() for tensor in tensors[-50:])


CASES: dict[str, Case] = {
    "MLP, 8 layers": _mlp,
    "GPT, 12 layers": lambda: _gpt(12),
    "GPT, 48 layers": lambda: _gpt(48),
    "LSTM, 100 steps": lambda: _lstm(100),
    "LSTM, 1,000 steps": lambda: _lstm(1000),
    "chain, 10,000": lambda: _chain(10_000),
    "chain, 100,000": lambda: _chain(100_000),
    "chain, 1,000,000": lambda: _chain(1_000_000),
    "DAG, 10,000": lambda: _dag(10_000),
    "DAG, 100,000": lambda: _dag(100_000),
}
LARGE = ("chain, 100,000", "chain, 1,000,000", "DAG, 100,000")
"""Only with --all, or by name."""
