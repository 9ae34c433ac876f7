# expect: non-finite-gradient
# line: 24
# harmed: *

"""Regression with a predicted spread: one output for the mean, one for the variance."""
import torch
import torch.nn as nn


class MeanVariance(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp = nn.Linear(5, 12)
        self.mean = nn.Linear(12, 1)
        self.variance = nn.Linear(12, 1)

    def forward(self, x):
        h = torch.tanh(self.inp(x))
        return self.mean(h), self.variance(h)


def laplace_nll(mean, variance, target, floor=0.1):
    # a variance below zero counts as zero
    std = torch.where(variance > 0, torch.sqrt(variance), torch.zeros_like(variance))
    scale = std + floor
    return ((target - mean).abs() / scale + torch.log(scale)).mean()


torch.manual_seed(0)
x = torch.randn(24, 5)
y = x[:, :1] + x[:, 1:2].abs() * torch.randn(24, 1)
net = MeanVariance()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(3):
    optimizer.zero_grad()
    loss = laplace_nll(*net(x), y)
    loss.backward()
    optimizer.step()
    print(f"step {step}: {loss.item():.4f}")
