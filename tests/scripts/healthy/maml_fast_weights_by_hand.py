# expect: nothing

import torch
from torch import nn
torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 1)
    def forward(self, x, params=None):
        if params is None:
            params = list(self.parameters())
        w1, b1, w2, b2 = params
        return torch.tanh(x @ w1.t() + b1) @ w2.t() + b2


net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(6):
    x, y = torch.randn(8, 4), torch.randn(8, 1)
    fast = [nn.Parameter(p.detach().clone()) for p in net.parameters()]
    for _ in range(2):
        loss = ((net(x, fast) - y) ** 2).mean()
        loss.backward()
        fast = [nn.Parameter(p.detach() - 0.1 * p.grad) for p in fast]
    q = ((net(x, fast) - y) ** 2).mean()
    grads = torch.autograd.grad(q, fast)
    for p, g in zip(net.parameters(), grads):
        p.grad = g
    opt.step()
