# expect: not-in-optimizer
# line: 17
# harmed: *
import torch
from torch import nn

torch.manual_seed(0)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(6, 6)

    def forward(self, x):
        scale = nn.Parameter(torch.ones(6))
        return self.body(x) * scale


model = Scaled()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(3):
    x = torch.randn(8, 6)
    loss = nn.functional.mse_loss(model(x), x.cos())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
