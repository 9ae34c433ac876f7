# expect: rebuilt-optimizer
# line: 9
# harmed: *
import torch
from torch import nn


def train_step(net, x, y):
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    loss = nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


torch.manual_seed(14)
net = nn.Sequential(nn.Linear(2, 32), nn.SiLU(), nn.Linear(32, 1))
for _ in range(10):
    x = torch.rand(16, 2)
    print(train_step(net, x, x.prod(1, keepdim=True)))
