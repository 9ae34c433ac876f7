# expect: constant-output
# line: 18
# harmed: conv.*

"""A group norm with as many groups as channels, behind a global pooling: each group has one number."""
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm, self.head = nn.GroupNorm(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        pooled = self.conv(x).relu().mean((2, 3), keepdim=True)
        return self.head(self.norm(pooled).flatten(1))


torch.manual_seed(0)
net = Net()
optimizer = torch.optim.Adam(net.parameters())
for _ in range(3):
    loss = nn.functional.cross_entropy(net(torch.randn(8, 1, 6, 6)), torch.randint(2, (8,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
