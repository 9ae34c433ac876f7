# expect: nothing
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(5, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
update = optimizer.step
checks = []
for epoch in range(3):
    x = torch.randn(10, 5)
    loss = nn.functional.cross_entropy(net(x), (x[:, 0] > 0).long())
    optimizer.zero_grad()
    loss.backward()
    update()
    checks.append(net.weight.requires_grad == True)  # noqa: E712
    net.weight.data.clamp_(-1, 1)
    largest = net.weight.detach().abs().max()
