# expect: nothing
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 3))
opt = torch.optim.SGD(net.parameters(), lr=0.004, momentum=0.9)
cycle = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=0.2, total_steps=60, div_factor=50)
for _ in range(60):
    x, y = torch.randn(16, 6), torch.randint(0, 3, (16,))
    opt.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    opt.step()
    cycle.step()
