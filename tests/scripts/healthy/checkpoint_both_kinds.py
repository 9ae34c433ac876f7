# expect: nothing

"""Activation checkpointing, with and without re-entering the engine."""
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ff = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width))

    def forward(self, x):
        return x + self.ff(self.norm(x))


class Net(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.stem = nn.Linear(5, width)
        self.first = nn.ModuleList(Block(width) for _ in range(2))
        self.second = nn.ModuleList(Block(width) for _ in range(2))
        self.third = nn.Sequential(Block(width), Block(width))
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        h = self.stem(x)
        for block in self.first:
            h = checkpoint(block, h, use_reentrant=False)
        for block in self.second:
            h = checkpoint(block, h, use_reentrant=True)
        h = checkpoint_sequential(self.third, 2, h, use_reentrant=False)
        return self.head(h)


torch.manual_seed(0)
x = torch.randn(24, 5)
y = x.sum(dim=1, keepdim=True)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(5):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
