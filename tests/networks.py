"""Small models of every common kind, each with its input: `gpt()` gives a function that runs a step's forward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Network:
    """A model and its forward, up to a loss."""

    model: nn.Module
    loss: Callable[[], torch.Tensor]


class Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part.unsqueeze(1) for part in self.qkv(x).chunk(3, -1))
        return self.proj(F.scaled_dot_product_attention(q, k, v, is_causal=True).squeeze(1))


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, blocks: int = 3) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(50, 24), nn.Embedding(12, 24)
        self.drop = nn.Dropout(0.1)
        self.blocks = nn.ModuleList(Block(24) for _ in range(blocks))
        self.ln, self.head = nn.LayerNorm(24), nn.Linear(24, 50, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.drop(self.tokens(ids) + self.positions(torch.arange(ids.shape[1])))
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln(x))


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(h)) + x)


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3)
        self.layer1 = nn.Sequential(Residual(6), Residual(6))
        self.fc = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = F.max_pool2d(self.stem(x), 2)
        return self.fc(self.layer1(h).mean((2, 3)))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.out = nn.LSTM(5, 7, num_layers=2, batch_first=True), nn.Linear(7, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, _ = self.lstm(x)
        return self.out(h[:, -1])


class Shared(nn.Module):
    """One layer three times, and one under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.out = nn.Linear(6, 6), nn.Linear(6, 4)
        self.alias = self.layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(2):
            x = torch.tanh(self.layer(x))
        return self.out(self.alias(x))


def gpt() -> Network:
    model, ids = GPT(), torch.randint(0, 50, (2, 9))
    return Network(model, lambda: F.cross_entropy(model(ids[:, :-1]).reshape(-1, 50), ids[:, 1:].reshape(-1)))


def resnet() -> Network:
    model, x, y = ResNet(), torch.randn(3, 3, 14, 14), torch.randint(0, 4, (3,))
    return Network(model, lambda: F.cross_entropy(model(x), y))


def lstm() -> Network:
    model, x, y = Recurrent(), torch.randn(3, 6, 5), torch.randn(3, 2)
    return Network(model, lambda: F.mse_loss(model(x), y))


def shared() -> Network:
    model, x, y = Shared(), torch.randn(5, 6), torch.randint(0, 4, (5,))
    return Network(model, lambda: F.cross_entropy(model(x), y))


NETWORKS = {"gpt": gpt, "resnet": resnet, "lstm": lstm, "shared": shared}


def made(name: str) -> Network:
    """A network, the same numbers each time."""
    torch.manual_seed(0)
    return NETWORKS[name]()
