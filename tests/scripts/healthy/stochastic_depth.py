# expect: nothing

"""Residual branches that are dropped at random, as a whole or for each sample."""
import torch
from torch import nn


def drop_path(x, p, mode, training):
    if not training or p == 0.0:
        return x
    size = [1] * x.ndim if mode == "batch" else [x.shape[0]] + [1] * (x.ndim - 1)
    noise = torch.empty(size, dtype=x.dtype, device=x.device).bernoulli_(1 - p)
    return x * noise.div_(1 - p)


class Block(nn.Module):
    def __init__(self, width, p, mode):
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(width), nn.Linear(width, width)
        self.p, self.mode = p, mode

    def forward(self, x):
        return x + drop_path(torch.relu(self.linear(self.norm(x))), self.p, self.mode, self.training)


torch.manual_seed(0)
blocks = [Block(16, p, mode) for mode in ("batch", "row") for p in (0.5, 0.7, 0.9)]
model = nn.Sequential(nn.Linear(8, 16), *blocks, nn.Linear(16, 3))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(5):
    x, y = torch.randn(2, 8), torch.randint(0, 3, (2,))
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
