# expect: selection-by-index
# line: 14
# harmed: gate.*

"""Rows for which a learnt gate is open go through the layer."""
import torch
from torch import nn

torch.manual_seed(0)
gate, layer = nn.Linear(4, 1), nn.Linear(4, 1)
optimizer = torch.optim.SGD([*gate.parameters(), *layer.parameters()], lr=0.1)
for step in range(3):
    x = torch.randn(30, 4)
    chosen = torch.argsort(gate(x).flatten(), descending=True)[:10]
    loss = (layer(x[chosen]) - x[chosen].sum(1, keepdim=True)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
