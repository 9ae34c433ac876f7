# expect: detached
# line: 13
# harmed: make.*

"""A network that makes the weights of another one, which wraps them in a parameter of its own."""
import torch
from torch import nn


class Generated(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight.view(6, 3))

    def forward(self, x):
        return x @ self.weight


class Hyper(nn.Module):
    def __init__(self):
        super().__init__()
        self.make = nn.Linear(5, 18)
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, context, x):
        return Generated(self.make(context))(x) * self.scale


torch.manual_seed(0)
hyper = Hyper()
optimizer = torch.optim.Adam(hyper.parameters())
for _ in range(3):
    loss = nn.functional.mse_loss(hyper(torch.randn(5), torch.randn(20, 6)), torch.randn(20, 3))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
