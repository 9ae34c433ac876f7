# expect: dead-activation
# line: 18
# harmed: weight, bias

"""The penalty of a sparse coder whose bias is far below zero: loss and gradients are zero from the first step."""
import torch
from torch import nn

torch.manual_seed(0)
coder = nn.Linear(6, 12)
with torch.no_grad():
    coder.bias.fill_(-50.0)
optimizer = torch.optim.SGD(coder.parameters(), lr=0.1)
data = torch.randn(64, 6)
for step in range(4):
    batch = data[step * 16 : step * 16 + 16]
    optimizer.zero_grad()
    loss = torch.relu(coder(batch)).mul(2).sum()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
