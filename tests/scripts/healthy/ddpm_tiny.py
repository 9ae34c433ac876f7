# expect: nothing

"""Denoising diffusion on points of a circle."""
import math

import torch
from torch import nn


class Denoiser(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.register_buffer("frequencies", torch.exp(torch.linspace(0, 3, 8)))
        self.time = nn.Linear(16, width)
        self.inp = nn.Linear(2, width)
        self.mid = nn.Linear(width, width)
        self.out = nn.Linear(width, 2)

    def forward(self, x, t):
        angle = t[:, None] * self.frequencies
        emb = torch.cat([angle.sin(), angle.cos()], dim=1)
        h = nn.functional.silu(self.inp(x) + self.time(emb))
        return self.out(nn.functional.silu(self.mid(h)))


class Diffusion:
    def __init__(self, steps=50):
        beta = torch.linspace(1e-4, 0.2, steps)
        self.alpha_bar = torch.cumprod(1 - beta, dim=0)

    def noisy(self, x, t):
        noise = torch.randn_like(x)
        a = self.alpha_bar[t][:, None]
        return a.sqrt() * x + (1 - a).sqrt() * noise, noise


torch.manual_seed(0)
angle = torch.rand(128) * 2 * math.pi
data = torch.stack([angle.cos(), angle.sin()], dim=1)
model, diffusion = Denoiser(), Diffusion()
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
for step in range(8):
    t = torch.randint(0, 50, (128,))
    x_t, noise = diffusion.noisy(data, t)
    loss = nn.functional.mse_loss(model(x_t, t / 50), noise)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
