# expect: no-graph
# line: 25
# harmed: *
# exit: 1

"""Sequence regression scored by the Pearson correlation."""
import numpy as np
import torch
from torch import nn


class Forecaster(nn.Module):
    def __init__(self, features=3, hidden=12):
        super().__init__()
        self.gru = nn.GRU(features, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.gru(x)
        return self.head(out[:, -1]).squeeze(-1)


class CorrelationLoss(nn.Module):
    def forward(self, pred, target):
        pred, target = pred.detach().numpy(), target.numpy()
        pred = pred - pred.mean()
        target = target - target.mean()
        corr = (pred * target).sum() / np.sqrt((pred**2).sum() * (target**2).sum())
        return torch.tensor(1.0 - corr)


torch.manual_seed(3)
series = torch.randn(20, 10, 3)
future = series[:, -1].sum(dim=1)
model = Forecaster()
optimizer = torch.optim.Adam(model.parameters())
criterion = CorrelationLoss()
for epoch in range(3):
    optimizer.zero_grad()
    loss = criterion(model(series), future)
    loss.backward()
    optimizer.step()
    print(epoch, float(loss))
