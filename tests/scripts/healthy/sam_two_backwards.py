# expect: nothing

"""Sharpness-aware minimisation: two backward calls in each step, the first at the weights, the second beside them."""
import torch
from torch import nn


class SAM:
    def __init__(self, parameters, rho=0.05, **options):
        self.parameters, self.rho = list(parameters), rho
        self.base = torch.optim.SGD(self.parameters, **options)

    @torch.no_grad()
    def climb(self):
        norm = torch.stack([p.grad.norm() for p in self.parameters]).norm()
        self.moved = [self.rho * p.grad / (norm + 1e-12) for p in self.parameters]
        for p, e in zip(self.parameters, self.moved):
            p.add_(e)
        self.base.zero_grad()

    @torch.no_grad()
    def step(self):
        for p, e in zip(self.parameters, self.moved):
            p.sub_(e)
        self.base.step()
        self.base.zero_grad()


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 24), nn.ELU(), nn.Linear(24, 3))
optimizer = SAM(model.parameters(), lr=0.1, momentum=0.9)
for step in range(4):
    x = torch.randn(32, 6)
    y = x[:, :3].argmax(1)
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.climb()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
    print(step, loss.item())
