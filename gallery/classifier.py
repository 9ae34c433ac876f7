"""A classifier of two layers, trained for three steps on eight points of three classes."""
import torch
from torch import nn

torch.manual_seed(0)
points = torch.randn(8, 4)
classes = torch.arange(8) % 3
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(points), classes)
    loss.backward()
    optimizer.step()
