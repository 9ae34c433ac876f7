# expect: unregistered-module
# line: 18
# harmed: *

import torch
import torch.nn as nn
import torch.nn.functional as F


def conv_bn(c_in, c_out, kernel):
    return nn.Sequential(nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(c_out))


class Inception(nn.Module):
    def __init__(self, c_in, c_out, kernels=(1, 3, 5)):
        super().__init__()
        self.reduce = nn.Conv2d(c_in, c_out, 1)
        self.branches = tuple(conv_bn(c_out, c_out, k) for k in kernels)
        self.project = nn.Conv2d(c_out * len(kernels), c_out, 1)

    def forward(self, x):
        x = self.reduce(x)
        return self.project(torch.cat([F.relu(branch(x)) for branch in self.branches], dim=1))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Inception(3, 4)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(self.block(x).mean(dim=(2, 3)))


torch.manual_seed(0)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
x, y = torch.randn(6, 3, 6, 6), torch.randint(0, 3, (6,))
for step in range(3):
    optimizer.zero_grad()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
