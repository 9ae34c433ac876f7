# expect: nothing

import copy

import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
opt = torch.optim.Adam(model.parameters(), lr=1e-3)


def adapt(x, y):
    learner = copy.deepcopy(model)
    for _ in range(2):
        loss = ((learner(x) - y) ** 2).mean()
        learner.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in learner.parameters():
                p -= 0.1 * p.grad
    return learner


for step in range(6):
    opt.zero_grad()
    for task in range(2):
        x, y = torch.randn(8, 4), torch.randn(8, 1)
        learner = adapt(x, y)
        q = ((learner(x) - y) ** 2).mean()
        learner.zero_grad()
        q.backward()
        for p, f in zip(model.parameters(), learner.parameters()):
            p.grad = f.grad.clone() if p.grad is None else p.grad + f.grad
    opt.step()
