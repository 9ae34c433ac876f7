# expect: silent-overwrite
# line: 14
# harmed: *

"""MLP with a max-norm constraint on its weights."""
import torch
from torch import nn


def apply_max_norm(model, limit):
    for module in model.modules():
        if isinstance(module, nn.Linear):
            norms = module.weight.data.norm(dim=1, keepdim=True)
            module.weight.data *= (limit / norms).clamp(max=1.0)


def build(width=24):
    return nn.Sequential(
        nn.Linear(5, width),
        nn.Softplus(),
        nn.Linear(width, width),
        nn.Softplus(),
        nn.Linear(width, 1),
    )


torch.manual_seed(0)
x = torch.randn(32, 5)
y = x.norm(dim=1, keepdim=True)
model = build()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
for step in range(4):
    optimizer.zero_grad()
    loss = (model(x) - y).pow(2).mean()
    apply_max_norm(model, limit=0.3)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
