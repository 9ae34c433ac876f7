# expect: nothing
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(5, 6), nn.ReLU(inplace=True), nn.Linear(6, 1))
optimizer = torch.optim.Adam(net.parameters())
average = [p.detach().clone() for p in net.parameters()]
for epoch in range(3):
    x = torch.randn(10, 5)
    loss = nn.functional.mse_loss(net(x), x[:, :1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for kept, p in zip(average, net.parameters(), strict=True):
            kept.mul_(0.9).add_(p, alpha=0.1)
