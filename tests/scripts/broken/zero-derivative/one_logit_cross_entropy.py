# expect: zero-derivative
# line: 12
# harmed: *
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(net.parameters())
for step in range(3):
    x = torch.randn(9, 5)
    loss = nn.functional.cross_entropy(net(x), torch.zeros(9, dtype=torch.long))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
