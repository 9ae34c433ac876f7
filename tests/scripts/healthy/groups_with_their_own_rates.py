# expect: nothing
import torch
from torch import nn
torch.manual_seed(4)
body, head = nn.Linear(10, 20), nn.Linear(20, 2)
opt = torch.optim.SGD([{"params": body.parameters(), "lr": 0.0}, {"params": head.parameters(), "lr": 0.1}], lr=0.1)
for step in range(12):
    if step < 4:
        opt.param_groups[0]["lr"] = 0.001 * (step + 1) / 4
    if step == 8:
        opt.param_groups[1]["lr"] = 0.01
    x = torch.randn(8, 10)
    loss = nn.functional.cross_entropy(head(body(x).relu()), (x.sum(1) > 0).long())
    opt.zero_grad()
    loss.backward()
    opt.step()
