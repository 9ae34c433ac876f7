# expect: wrong-backward
# line: 10 or 19 or 22 or 27
# harmed: *
# options: --gradcheck

import torch
import torch.nn as nn


class SwishFunction(torch.autograd.Function):
    """x * sigmoid(x), recomputing the sigmoid in the backward to save memory."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad_output * (s + s * (1 - s))


class Swish(nn.Module):
    def forward(self, x):
        return SwishFunction.apply(x)


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), Swish(), nn.Linear(16, 16), Swish(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
x = torch.randn(24, 4)
y = x.norm(dim=1, keepdim=True)
for step in range(4):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
