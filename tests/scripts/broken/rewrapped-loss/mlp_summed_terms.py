# expect: rewrapped-loss
# line: 24
# harmed: *

import torch
import torch.nn as nn

torch.manual_seed(0)


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(4, 16)
        self.out = nn.Linear(16, 2)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x)))


def total_loss(pred, target):
    mse = nn.functional.mse_loss(pred, target)
    l1 = nn.functional.l1_loss(pred, target)
    return torch.tensor([mse, 0.1 * l1], requires_grad=True)


x = torch.randn(32, 4)
y = torch.stack([x.sum(1), x.prod(1)], dim=1)
model = Regressor()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

for epoch in range(4):
    optimizer.zero_grad()
    losses = total_loss(model(x), y)
    losses.backward(torch.ones_like(losses))
    optimizer.step()
    print(epoch, losses.sum().item())
