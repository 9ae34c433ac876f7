# expect: constant-output
# line: 11
# harmed: 0.*, 2.*

import torch
from torch import nn

model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1), nn.LayerNorm(1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(3, 16, 5, generator=torch.Generator().manual_seed(0)):
    loss = nn.functional.mse_loss(model(x), x[:, :1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
