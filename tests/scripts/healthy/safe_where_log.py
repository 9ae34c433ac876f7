# expect: nothing

"""A loss with logarithms, roots and divisions, all kept away from their singular points."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class RateNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(5, 16)
        self.fc2 = nn.Linear(16, 3)

    def forward(self, x):
        return F.softplus(self.fc2(torch.relu(self.fc1(x))))


def deviance(rate, count):
    safe = torch.where(count > 0, count, torch.ones_like(count))
    log_ratio = torch.where(count > 0, torch.log(safe / (rate + 1e-8)), torch.zeros_like(rate))
    return 2 * (count * log_ratio - (count - rate)).mean()


torch.manual_seed(0)
x = torch.randn(40, 5)
count = torch.poisson(x[:, :3].exp().clamp(max=6))
model = RateNet()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(6):
    rate = model(x)
    spread = torch.sqrt((rate - rate.mean(dim=0)).pow(2).sum(dim=1) + 1e-12).mean()
    loss = deviance(rate, count) - 0.001 * spread
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
