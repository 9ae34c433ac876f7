# expect: zero-derivative
# line: 18
# harmed: *

"""Binary hash codes for retrieval, learnt from similar and dissimilar pairs."""
import torch
from torch import nn


class HashNet(nn.Module):
    def __init__(self, bits=8):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(4 * 4 * 4, bits)

    def forward(self, x):
        h = torch.relu(self.conv(x)).flatten(1)
        return torch.sign(self.fc(h))


def pair_loss(a, b, similar, margin=8.0):
    hamming = (a - b).pow(2).sum(dim=1)
    return (similar * hamming + (1 - similar) * torch.relu(margin - hamming)).mean()


torch.manual_seed(0)
net = HashNet()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
left = torch.rand(10, 1, 6, 6)
similar = torch.tensor([1.0, 0.0] * 5)
right = torch.where(similar.view(-1, 1, 1, 1) > 0, left + 0.05 * torch.randn_like(left), torch.rand(10, 1, 6, 6))
for step in range(3):
    loss = pair_loss(net(left), net(right), similar)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
