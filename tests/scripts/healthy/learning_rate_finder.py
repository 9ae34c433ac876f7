# expect: nothing
import torch
from torch import nn
torch.manual_seed(1)
net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))
w = torch.randn(8, 1)


def find_rate(net, low=1e-6, high=10.0, steps=60):
    optimizer = torch.optim.SGD(net.parameters(), lr=low)
    factor = (high / low) ** (1 / steps)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, factor)
    rates, losses = [], []
    for _ in range(steps):
        x = torch.randn(32, 8)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x), x @ w)
        loss.backward()
        rates.append(scheduler.get_last_lr()[0])
        losses.append(loss.item())
        optimizer.step()
        scheduler.step()
    best = min(range(steps), key=losses.__getitem__)
    return rates[best] / 10


print(find_rate(net))
