# expect: nothing

"""ANIL: the inner loop of meta-learning adapts the head only, by torch.func.functional_call."""
import torch
from torch import nn
from torch.func import functional_call

torch.manual_seed(0)
body = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh())
head = nn.Linear(24, 1)
optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=1e-3)


def task():
    phase, height = 3 * torch.rand(1), 0.5 + torch.rand(1)
    x = 4 * torch.rand(10, 1) - 2
    return x, height * torch.sin(x + phase)


for step in range(3):
    total = 0.0
    for _ in range(2):
        x, y = task()
        fast = dict(head.named_parameters())
        for _ in range(2):
            inner = (functional_call(head, fast, (body(x[:5]),)) - y[:5]).pow(2).mean()
            slopes = torch.autograd.grad(inner, list(fast.values()), create_graph=True)
            fast = {name: value - 0.1 * slope for (name, value), slope in zip(fast.items(), slopes)}
        total = total + (functional_call(head, fast, (body(x[5:]),)) - y[5:]).pow(2).mean()
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    print(step, total.item())
