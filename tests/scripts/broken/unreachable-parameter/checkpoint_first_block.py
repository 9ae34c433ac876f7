# expect: unreachable-parameter
# line: 25
# harmed: blocks.0.0.weight, blocks.0.0.bias, blocks.0.2.weight, blocks.0.2.bias

import torch
import torch.nn as nn
from torch.utils.checkpoint import checkpoint


def mlp_block(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, 24), nn.GELU(), nn.Linear(24, n_out))


class DeepMLP(nn.Module):
    """Trades compute for memory: every block is checkpointed."""

    def __init__(self, features, width, depth):
        super().__init__()
        sizes = [features] + [width] * depth
        self.blocks = nn.ModuleList(mlp_block(a, b) for a, b in zip(sizes[:-1], sizes[1:]))
        self.skip = nn.Linear(features, width)
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        h = checkpoint(self.blocks[0], x, use_reentrant=True)
        h = h + self.skip(x)
        for block in self.blocks[1:]:
            h = checkpoint(block, h, use_reentrant=True)
        return self.head(h)


torch.manual_seed(0)
x = torch.randn(20, 6)
y = x.pow(2).sum(dim=1, keepdim=True)
model = DeepMLP(6, 16, depth=3)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(3):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
