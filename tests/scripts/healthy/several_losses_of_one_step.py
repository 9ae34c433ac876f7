# expect: nothing

"""A list of losses, one for each task, whose backward is called in a loop before one step."""
import torch
from torch import nn

torch.manual_seed(0)
trunk = nn.Sequential(nn.Linear(6, 16), nn.ReLU())
heads = nn.ModuleDict({name: nn.Linear(16, 1) for name in ("one", "two", "three", "four")})
optimizer = torch.optim.Adam([*trunk.parameters(), *heads.parameters()], lr=1e-3)
for step in range(3):
    batches = {name: torch.randn(8, 6) for name in heads}
    losses = [(heads[name](trunk(x)) - x.mean(1, keepdim=True)).pow(2).mean() for name, x in batches.items()]
    optimizer.zero_grad()
    for loss in losses:
        loss.backward()
    optimizer.step()
    print(step, sum(loss.item() for loss in losses))
