# expect: blocked-gradient
# line: 24 or 29
# harmed: project.weight

"""An auto-encoder whose bottleneck uses a memory-efficient linear layer."""
import torch
import torch.nn as nn


class LinearFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, weight, bias):
        ctx.save_for_backward(input, weight)
        return input @ weight.t() + bias

    @staticmethod
    def backward(ctx, grad_output):
        input, weight = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output @ weight
        if ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias


class EfficientLinear(nn.Linear):
    def forward(self, x):
        return LinearFunction.apply(x, self.weight, self.bias)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 12)
        self.project = EfficientLinear(12, 3)
        self.restore = nn.Linear(3, 8)

    def forward(self, x):
        return self.restore(self.project(torch.relu(self.embed(x))))


torch.manual_seed(0)
data = torch.randn(16, 8)
model = Model()
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    loss = (model(data) - data).square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(f"{step} {loss.item():.4f}")
