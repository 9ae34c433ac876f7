# expect: clip-order
# line: 38
# harmed: *

"""Diffusion-like denoiser trained in mixed precision."""
import torch
from torch import nn


class Denoiser(nn.Module):
    def __init__(self, n=2, width=24):
        super().__init__()
        self.time = nn.Embedding(10, width)
        self.inp = nn.Linear(n, width)
        self.mid = nn.Linear(width, width)
        self.out = nn.Linear(width, n)

    def forward(self, x, t):
        h = torch.relu(self.inp(x) + self.time(t))
        return self.out(torch.relu(self.mid(h)))


torch.manual_seed(0)
alpha_bar = torch.linspace(0.99, 0.05, 10)
data = torch.randn(64, 2) * 0.2 + 1.0
model = Denoiser()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
for step in range(4):
    t = torch.randint(0, 10, (64,))
    noise = torch.randn_like(data)
    a = alpha_bar[t].unsqueeze(1)
    noisy = a.sqrt() * data + (1 - a).sqrt() * noise
    with torch.autocast("cpu", dtype=torch.float16):
        loss = nn.functional.mse_loss(model(noisy, t).float(), noise)
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    nn.utils.clip_grad_value_(model.parameters(), 0.1)
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    print(step, loss.item())
