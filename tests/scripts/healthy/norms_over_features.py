# expect: nothing

"""Norms as they should be: layer norm over features, one group over channels, softmax over classes, weighed sums."""
import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.group = nn.Conv2d(1, 4, 3), nn.GroupNorm(1, 4)
        self.wide, self.norm, self.head = nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x):
        h = self.group(self.conv(x)).relu().mean((2, 3))
        return self.head(F.normalize(self.norm(self.wide(h)), dim=1))


torch.manual_seed(0)
net = Net()
optimizer = torch.optim.Adam(net.parameters())
for _ in range(3):
    labels = torch.randint(3, (8,))
    p = net(torch.randn(8, 1, 6, 6)).softmax(1)
    expected_cost = (p * torch.tensor([0.0, 1.0, 3.0])).sum()
    centred = p - p.mean(0)
    loss = F.nll_loss(p.log(), labels) + 0.01 * expected_cost - 0.1 * centred.square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
