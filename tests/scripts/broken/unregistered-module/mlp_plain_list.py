# expect: unregistered-module
# line: 13
# harmed: *

import torch
import torch.nn as nn


class DeepNet(nn.Module):
    def __init__(self, n_in, width, depth):
        super().__init__()
        self.first = nn.Linear(n_in, width)
        self.hidden = [nn.Linear(width, width) for _ in range(depth)]
        self.last = nn.Linear(width, 1)

    def forward(self, x):
        x = torch.relu(self.first(x))
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.last(x)


torch.manual_seed(0)
x = torch.randn(50, 3)
y = x.prod(dim=1, keepdim=True)
model = DeepNet(3, 16, 2)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(4):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
