# expect: nothing
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
net[0].weight.requires_grad = False
net.lr = 0.1
net.step = 0
optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=net.lr)
for group in optimizer.param_groups:
    group["lr"] = 0.05
for step in range(3):
    net.step += 1
    x = torch.randn(8, 4)
    loss = nn.functional.mse_loss(net(x), x.mean(1, keepdim=True))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
