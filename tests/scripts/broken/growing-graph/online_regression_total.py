# expect: growing-graph
# line: 30 or 32
# harmed: *

import torch
from torch import nn


class OnlineModel(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.linear = nn.Linear(n, 1)

    def forward(self, x):
        return self.linear(x).squeeze(-1)


def stream(n_batches, n):
    truth = torch.randn(n)
    for _ in range(n_batches):
        x = torch.randn(8, n)
        yield x, x @ truth


torch.manual_seed(0)
model = OnlineModel(4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
total_loss = 0
for i, (x, y) in enumerate(stream(5, 4)):
    total_loss = total_loss + nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    total_loss.backward(retain_graph=True)
    optimizer.step()
    print(i, total_loss.item() / (i + 1))
