# expect: inplace-modified
# line: 20
# harmed: *
# exit: 1

import torch
import torch.nn as nn


class ResidualMLP(nn.Module):
    def __init__(self, width=16, depth=3):
        super().__init__()
        self.stem = nn.Linear(4, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        h = self.stem(x)
        for layer in self.layers:
            h += torch.tanh(layer(h))
        return self.head(h)


torch.manual_seed(0)
x, y = torch.randn(32, 4), torch.randn(32, 1)
model = ResidualMLP()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(3):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
