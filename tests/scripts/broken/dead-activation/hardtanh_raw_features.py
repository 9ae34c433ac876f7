# expect: dead-activation
# line: 18
# harmed: inp.weight, inp.bias

import torch
import torch.nn as nn


class TabularNet(nn.Module):
    def __init__(self, n_in, width=16):
        super().__init__()
        self.inp = nn.Linear(n_in, width)
        self.hid = nn.Linear(width, width)
        self.out = nn.Linear(width, 2)
        self.act = nn.Hardtanh()

    def forward(self, x):
        x = self.act(self.inp(x))
        x = self.act(self.hid(x))
        return self.out(x)


def patients(n):
    """Age in days, income in euros, weight in grams."""
    age = torch.randint(7_000, 30_000, (n,)).float()
    income = torch.randint(8_000, 90_000, (n,)).float()
    weight = torch.randint(45_000, 120_000, (n,)).float()
    return torch.stack([age, income, weight], dim=1)


torch.manual_seed(0)
x = patients(32)
y = (x[:, 0] > 18_000).long()
net = TabularNet(3)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(4):
    optimizer.zero_grad()
    loss = criterion(net(x), y)
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch}, loss {loss.item():.4f}")
