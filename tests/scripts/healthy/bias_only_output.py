# expect: nothing
import torch
from torch import nn

torch.manual_seed(0)


class Offset(nn.Module):
    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return self.bias.expand(len(x), 1)


model = Offset()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    loss = (model(torch.randn(8, 3)) - torch.randn(8, 1) - 2).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
