"""The models that are measured, from nothing but torch."""

from __future__ import annotations

import random

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    """One block of GPT-2: attention and a feed-forward net, each on a residual stream."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc_1, self.fc_2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.heads = heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, time, width = x.shape
        parts = self.qkv(self.ln_1(x)).chunk(3, -1)
        q, k, v = (part.view(batch, time, self.heads, -1).transpose(1, 2) for part in parts)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(attended.transpose(1, 2).reshape(batch, time, width))
        return x + self.fc_2(F.gelu(self.fc_1(self.ln_2(x))))


class GPT(nn.Module):
    """GPT-2 in small: `layers` blocks of `width`; some 45 Nodes a block."""

    def __init__(self, layers: int, width: int, vocabulary: int = 100) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(64, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(layers))
        self.ln, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln(x))


class MLP(nn.Sequential):
    """Linear layers with a ReLU behind each."""

    def __init__(self, layers: int) -> None:
        super().__init__(*(layer for _ in range(layers) for layer in (nn.Linear(32, 32), nn.ReLU())))


class Residual(nn.Module):
    """A block of ResNet: two convolutions, or three with a bottleneck, around a shortcut."""

    def __init__(self, into: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        out = width * 4 if bottleneck else width
        steps = [(into, width, 1, 1), (width, width, 3, stride), (width, out, 1, 1)]
        steps = steps if bottleneck else [(into, width, 3, stride), (width, width, 3, 1)]
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, size, step, size // 2, bias=False) for a, b, size, step in steps
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for _, b, _, _ in steps)
        self.shortcut = nn.Sequential()
        if stride > 1 or into != out:
            self.shortcut = nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for conv, norm in zip(self.convs, self.norms, strict=True):
            y = norm(conv(F.relu(y) if conv is not self.convs[0] else y))
        return F.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    """A ResNet of small widths and real depth: (2, 2, 2, 2) is ResNet-18, (3, 8, 36, 3) ResNet-152."""

    def __init__(self, depths: tuple[int, ...], *, bottleneck: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        into, stages = 8, []
        for level, depth in enumerate(depths):
            blocks = []
            for number in range(depth):
                blocks.append(Residual(into, 8, 2 if level and not number else 1, bottleneck))
                into = 32 if bottleneck else 8
            stages.append(nn.Sequential(*blocks))
        self.layers, self.fc = nn.Sequential(*stages), nn.Linear(into, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.layers(self.stem(x)).mean((2, 3)))


class Unrolled(nn.Module):
    """An LSTM cell in a loop of Python's."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(8, 16)

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        state = (torch.zeros(4, 16), torch.zeros(4, 16))
        for step in steps:
            state = self.cell(step, state)
        return state[0]


class Chain(nn.Module):
    """One operation after the other."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length, self.weight = length, nn.Parameter(torch.ones(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * self.weight
        for _ in range(self.length):
            x = x.sin()
        return x


class Web(nn.Module):
    """A random graph: products, and sums with a sine, of any two recent tensors."""

    def __init__(self, count: int, chosen: random.Random) -> None:
        super().__init__()
        self.leaves = nn.ParameterList(nn.Parameter(torch.randn(3)) for _ in range(20))
        self.picks = [(chosen.random(), chosen.random(), chosen.random() < 0.5) for _ in range(count)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tensors = [leaf * x for leaf in self.leaves]
        for first, second, is_product in self.picks:
            recent = tensors[-200:]
            one, other = recent[int(first * len(recent))], recent[int(second * len(recent))]
            tensors.append(one * other if is_product else one.sin() + other)
        return torch.stack(tensors[-50:])
