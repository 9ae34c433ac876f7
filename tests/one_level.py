"""Models of one level: their modules hold no modules, and many wires pass them. Recorded, with their gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import nn
from torch.nn import functional as F

import inspector
from inspector.graph import Graph


class VAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        self.fc3, self.fc4 = nn.Linear(20, 400), nn.Linear(400, 784)

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mu, logvar = self.encode(x)
        recon = self.decode(self.reparameterize(mu, logvar))
        likelihood = F.binary_cross_entropy(recon, x, reduction="sum")
        divergence = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return likelihood + divergence


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.middle = nn.Conv2d(8, 16, 3, padding=1)
        self.up2, self.conv2 = nn.ConvTranspose2d(16, 8, 2, stride=2), nn.Conv2d(16, 8, 3, padding=1)
        self.up1, self.conv1 = nn.ConvTranspose2d(8, 4, 2, stride=2), nn.Conv2d(8, 4, 3, padding=1)
        self.out = nn.Conv2d(4, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = F.relu(self.down1(x))
        b = F.relu(self.down2(F.max_pool2d(a, 2)))
        c = F.relu(self.middle(F.max_pool2d(b, 2)))
        d = F.relu(self.conv2(torch.cat([self.up2(c), b], 1)))
        e = F.relu(self.conv1(torch.cat([self.up1(d), a], 1)))
        return self.out(e).pow(2).mean()


class Dense(nn.Module):
    """Every layer takes what all before it made."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4 * (number + 1), 4) for number in range(12))
        self.head = nn.Linear(4 * 13, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = [x]
        for layer in self.layers:
            seen.append(F.relu(layer(torch.cat(seen, 1))))
        return self.head(torch.cat(seen, 1)).pow(2).mean()


class Cell(nn.Module):
    """The gates of one step of an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.xi, self.hi, self.xf, self.hf = (nn.Linear(4, 4) for _ in range(4))
        self.xo, self.ho, self.xg, self.hg = (nn.Linear(4, 4) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        i = torch.sigmoid(self.xi(x) + self.hi(x))
        f = torch.sigmoid(self.xf(x) + self.hf(x))
        o = torch.sigmoid(self.xo(x) + self.ho(x))
        g = torch.tanh(self.xg(x) + self.hg(x))
        return (o * torch.tanh(f * x + i * g)).pow(2).sum()


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "vae": (VAE, (16, 784)),
    "unet": (UNet, (2, 1, 8, 8)),
    "dense": (Dense, (3, 4)),
    "cell": (Cell, (2, 4)),
}
"""Each with the shape of its input."""


@cache
def recorded(name: str) -> Graph:
    """The backward graph of a model, before and after."""
    torch.manual_seed(1)
    make, shape = MODELS[name]
    model = make()
    with inspector.record(model) as recording:
        loss = model(torch.rand(shape))
        loss.backward()
    return recording.calls[0].graph
