# expect: not-in-optimizer
# line: 20 or 33
# harmed: blocks.1.weight, blocks.1.bias

import torch
import torch.nn as nn


class GrowingNet(nn.Module):
    """A residual network that gets one block more during the training."""

    def __init__(self, n_in, width):
        super().__init__()
        self.width = width
        self.stem = nn.Linear(n_in, width)
        self.blocks = nn.ModuleList([nn.Linear(width, width)])
        self.head = nn.Linear(width, 1)

    def grow(self):
        self.blocks.append(nn.Linear(self.width, self.width))

    def forward(self, x):
        h = self.stem(x)
        for block in self.blocks:
            h = h + torch.tanh(block(h))
        return self.head(h)


torch.manual_seed(0)
x = torch.randn(40, 4)
y = torch.cos(x).sum(dim=1, keepdim=True)
model = GrowingNet(4, 16)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(5):
    if step == 1:
        model.grow()
    model.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    print(f"step {step}, {len(model.blocks)} blocks, loss {loss.item():.4f}")
