# expect: nothing

"""Binarised hidden units with the straight-through estimator, written both ways."""
import torch
import torch.nn as nn


class SignSTE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.sign(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * (x.abs() <= 1).float()


class BinaryNet(nn.Module):
    def __init__(self, n_in=8, width=32):
        super().__init__()
        self.fc1 = nn.Linear(n_in, width)
        self.fc2 = nn.Linear(width, width)
        self.fc3 = nn.Linear(width, 2)

    def forward(self, x):
        h = SignSTE.apply(self.fc1(x))
        p = torch.sigmoid(self.fc2(h))
        hard = torch.round(p)
        h = p + (hard - p).detach()
        return self.fc3(h)


torch.manual_seed(0)
x = torch.randn(64, 8)
y = (x[:, 0] > x[:, 1]).long()
model = BinaryNet()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(6):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
