# expect: constant-output
# line: 17
# harmed: *

"""Consistency training in which the second view was forgotten: the target is the same prediction."""
import torch
from torch import nn


def consistency(model, view):
    prediction = model(view)
    target = prediction.detach()
    return distance(prediction, target)


def distance(one, other):
    return nn.functional.mse_loss(one, other)


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.Adam(model.parameters())
for _ in range(3):
    optimizer.zero_grad()
    consistency(model, torch.randn(16, 6)).backward()
    optimizer.step()
