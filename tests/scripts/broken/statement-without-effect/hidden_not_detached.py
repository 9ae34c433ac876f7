# expect: statement-without-effect
# line: 15
# harmed: *
import torch
from torch import nn

torch.manual_seed(0)
cell, read = nn.RNNCell(3, 5), nn.Linear(5, 1)
optimizer = torch.optim.SGD([*cell.parameters(), *read.parameters()], lr=0.01)
for sequence in range(2):
    h = torch.zeros(4, 5)
    for t in range(6):
        h = cell(torch.randn(4, 3), h)
        if t == 2:
            h.detach()
    loss = read(h).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
