# expect: nothing
import torch
from torch import nn

torch.manual_seed(0)
table, head = nn.Embedding(4, 3), nn.Linear(3, 1)
optimizer = torch.optim.Adam([*table.parameters(), *head.parameters()])
for step in range(3):
    index = torch.full((5,), step)
    loss = (head(table(index)) - torch.randn(5, 1)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
