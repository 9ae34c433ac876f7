# expect: blocked-gradient
# line: 20 or 30
# harmed: gate.slope

import torch
from torch import nn


class ScaledSigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, slope):
        out = torch.sigmoid(slope * x)
        ctx.save_for_backward(x, slope, out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        x, slope, out = ctx.saved_tensors
        grad_x = grad_output * slope * out * (1 - out)
        return grad_x, None


class Gate(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, width)
        self.slope = nn.Parameter(torch.full((width,), 1.5))

    def forward(self, x):
        return x * ScaledSigmoid.apply(self.fc(x), self.slope)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp = nn.Linear(5, 8)
        self.gate = Gate(8)
        self.out = nn.Linear(8, 1)

    def forward(self, x):
        return self.out(self.gate(torch.tanh(self.inp(x))))


torch.manual_seed(0)
x = torch.randn(24, 5)
y = x[:, :1].abs()
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for i in range(4):
    loss = nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(i, loss.item())
