# expect: statement-without-effect
# line: 20
# harmed: *

"""Gradients of several batches are to be divided by their number before the step."""
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(2):
    optimizer.zero_grad()
    for _ in range(2):
        x = torch.randn(8, 5)
        loss = nn.functional.mse_loss(model(x), x.sum(1, keepdim=True))
        loss.backward()
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad.div(2)
    optimizer.step()
