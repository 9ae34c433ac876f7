# expect: replaced-parameter
# line: 24 or 31
# harmed: layers.0.weight, layers.2.weight

import torch
import torch.nn as nn


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 4))

    def forward(self, x):
        return self.layers(x)


def prune(model, amount):
    """Zero the smallest weights of every linear layer."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            threshold = module.weight.abs().flatten().quantile(amount)
            mask = module.weight.abs() > threshold
            module.weight = nn.Parameter(module.weight.detach() * mask)


torch.manual_seed(0)
x = torch.randn(40, 10)
y = x[:, :4].argmax(dim=1)
model = MLP()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(5):
    if step == 1:
        prune(model, amount=0.5)
    model.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
