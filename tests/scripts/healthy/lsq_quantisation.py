# expect: nothing

"""Quantisation with a learnt step size: round passes the gradient straight through."""
import torch
from torch import nn
from torch.nn import functional as F


def round_pass(x):
    return (x.round() - x).detach() + x


def scaled_gradient(x, scale):
    return (x - x * scale).detach() + x * scale


class QuantLinear(nn.Linear):
    def __init__(self, inside, outside, bits=4):
        super().__init__(inside, outside)
        self.low, self.high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        self.step = nn.Parameter(self.weight.detach().abs().mean() * 2 / self.high**0.5)

    def forward(self, x):
        step = scaled_gradient(self.step, 1 / (self.weight.numel() * self.high) ** 0.5)
        weight = round_pass((self.weight / step).clamp(self.low, self.high)) * step
        return F.linear(x, weight, self.bias)


torch.manual_seed(0)
model = nn.Sequential(QuantLinear(8, 16), nn.ReLU(), QuantLinear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(4):
    x = torch.randn(32, 8)
    loss = F.cross_entropy(model(x), x[:, :3].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
