"""A neural ODE on a spiral: the solver's steps are part of the graph."""

import itertools

import torch
from torch import nn


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 50), nn.Tanh(), nn.Linear(50, 2))

    def forward(self, t, y):
        return self.net(y**3)


def odeint(func, y0, times):
    """The fourth-order method of Runge and Kutta."""
    solution, y = [y0], y0
    for start, end in itertools.pairwise(times):
        h = end - start
        k1 = func(start, y)
        k2 = func(start + h / 2, y + h * k1 / 2)
        k3 = func(start + h / 2, y + h * k2 / 2)
        k4 = func(end, y + h * k3)
        y = y + h * (k1 + 2 * k2 + 2 * k3 + k4) / 6
        solution.append(y)
    return torch.stack(solution)


torch.manual_seed(0)
times = torch.linspace(0.0, 1.0, 10)
true_A = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])
with torch.no_grad():
    true_y = odeint(lambda t, y: y**3 @ true_A, torch.tensor([[2.0, 0.0]]), times)
func = Field()
optimizer = torch.optim.RMSprop(func.parameters(), lr=1e-3)
for step in range(3):
    optimizer.zero_grad()
    pred_y = odeint(func, true_y[0], times)
    loss = (pred_y - true_y).abs().mean()
    loss.backward()
    optimizer.step()
    print(f"{step} {loss.item():.4f}")
