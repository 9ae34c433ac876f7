# expect: non-finite-gradient
# line: 22
# harmed: *

import torch
from torch import nn


class Forecaster(nn.Module):
    def __init__(self, n_features=2, hidden=10):
        super().__init__()
        self.lstm = nn.LSTM(n_features, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        h, _ = self.lstm(x)
        return self.head(h).squeeze(-1)


def robust_loss(pred, target, valid):
    error = (pred - target).abs() * valid
    return (error**0.5).sum() / valid.sum()


def batch(n=6, length=9):
    x = torch.randn(n, length, 2)
    lengths = torch.randint(4, length, (n, 1))
    valid = (torch.arange(length)[None, :] < lengths).float()
    return x, x[..., 0].cumsum(dim=1), valid


torch.manual_seed(0)
model = Forecaster()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(3):
    x, y, valid = batch()
    loss = robust_loss(model(x), y, valid)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
