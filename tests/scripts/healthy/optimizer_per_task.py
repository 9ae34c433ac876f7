# expect: nothing
import copy
import torch
from torch import nn
torch.manual_seed(16)
meta = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 1))
outer = torch.optim.SGD(meta.parameters(), lr=0.3)
for task in range(5):
    fast = copy.deepcopy(meta)
    inner = torch.optim.SGD(fast.parameters(), lr=0.05)
    phase = torch.rand(1)
    for _ in range(3):
        x = torch.rand(10, 1) * 4
        loss = nn.functional.mse_loss(fast(x), torch.sin(x + phase))
        inner.zero_grad()
        loss.backward()
        inner.step()
    for p, q in zip(meta.parameters(), fast.parameters()):
        p.grad = (p - q).detach()
    outer.step()
    outer.zero_grad()
