# expect: statement-without-effect
# line: 22
# harmed: *

"""Weights that must not be negative, as of a monotone network, through `.data`."""
import torch
from torch import nn


class Monotone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rise, self.sum = nn.Linear(3, 8), nn.Linear(8, 1)

    def forward(self, x):
        return self.sum(torch.tanh(self.rise(x)))


def train(model, optimizer):
    for _ in range(3):
        for layer in (model.rise, model.sum):
            layer.weight.data.clamp(min=0)
        x = torch.rand(8, 3)
        loss = nn.functional.mse_loss(model(x), x.sum(1, keepdim=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


torch.manual_seed(0)
model = Monotone()
train(model, torch.optim.Adam(model.parameters(), lr=1e-2))
