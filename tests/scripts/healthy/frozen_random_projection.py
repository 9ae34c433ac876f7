# expect: nothing
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 6))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)


def distance(a, b):
    projection = nn.Linear(6, 2, bias=False).requires_grad_(False)
    return (projection(a) - projection(b)).square().mean()


for step in range(3):
    x = torch.randn(8, 6)
    loss = distance(model(x), x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
