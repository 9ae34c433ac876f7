# expect: vanishing-gradient
# line: 12 or 24 or 25
# harmed: *

import torch
import torch.nn as nn


def build_mlp(n_in, width, depth, n_out):
    layers = [nn.Linear(n_in, width), nn.Sigmoid()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.Sigmoid()]
    layers.append(nn.Linear(width, n_out))
    return nn.Sequential(*layers)


torch.manual_seed(0)
x = torch.randn(48, 10)
y = (x[:, 0] * x[:, 1] > 0).long()
model = build_mlp(10, 32, depth=16, n_out=2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(3):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch}: {loss.item():.5f}")
