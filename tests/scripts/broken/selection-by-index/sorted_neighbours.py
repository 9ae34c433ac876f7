# expect: selection-by-index
# line: 12
# harmed: score.*
import torch
from torch import nn

torch.manual_seed(0)
score, mix = nn.Linear(3, 1), nn.Linear(6, 2)
optimizer = torch.optim.SGD([*score.parameters(), *mix.parameters()], lr=0.1)
for step in range(3):
    points = torch.randn(4, 7, 3)
    order = score(points).squeeze(-1).argsort(dim=1)[:, :2]
    chosen = points.gather(1, order[..., None].expand(-1, -1, 3)).flatten(1)
    loss = nn.functional.cross_entropy(mix(chosen), torch.randint(0, 2, (4,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
