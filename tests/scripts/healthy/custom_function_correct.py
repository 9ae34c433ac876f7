# expect: nothing
# options: --gradcheck

"""Custom Functions with right backwards, and inputs that need no gradient."""
import torch
import torch.nn as nn


class Softsign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x, scale)
        return x / (1 + scale * x.abs())

    @staticmethod
    def backward(ctx, grad_output):
        x, scale = ctx.saved_tensors
        denominator = (1 + scale * x.abs()).pow(2)
        return grad_output / denominator, None


class ScaledLinear(torch.autograd.Function):
    """y = s * (x @ W.t()), s a plain number."""

    @staticmethod
    def forward(ctx, x, weight, s):
        ctx.save_for_backward(x, weight)
        ctx.s = s
        return s * (x @ weight.t())

    @staticmethod
    def backward(ctx, grad_output):
        x, weight = ctx.saved_tensors
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_x = ctx.s * (grad_output @ weight)
        if ctx.needs_input_grad[1]:
            grad_weight = ctx.s * (grad_output.t() @ x)
        return grad_x, grad_weight, None


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.tensor(0.5))
        self.first = nn.Parameter(torch.randn(16, 6) / 6**0.5)
        self.second = nn.Parameter(torch.randn(3, 16) / 16**0.5)

    def forward(self, x):
        h = Softsign.apply(ScaledLinear.apply(x, self.first, 1.4), self.scale)
        return ScaledLinear.apply(h, self.second, 2.0)


torch.manual_seed(0)
x = torch.randn(32, 6)
y = x[:, :3].argmax(dim=1)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(6):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
