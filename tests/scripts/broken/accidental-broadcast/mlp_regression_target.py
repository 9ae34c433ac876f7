# expect: accidental-broadcast
# line: 26
# harmed: *

import torch
import torch.nn as nn


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, x):
        return self.net(x)


torch.manual_seed(0)
x = torch.randn(32, 3)
y = 2 * x[:, 0] - x[:, 1]
model = Regressor()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

for epoch in range(5):
    pred = model(x)
    loss = ((pred - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
