"""A network of modules: Linear, ReLU, Linear and a mean squared error."""
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
x, t = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5]])
loss = nn.functional.mse_loss(model(x), t)
loss.backward()
