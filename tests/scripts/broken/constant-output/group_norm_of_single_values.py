# expect: constant-output
# line: 15
# harmed: *
import torch
from torch import nn

torch.manual_seed(0)
squeeze = nn.Conv2d(3, 4, 4)
norm = nn.GroupNorm(4, 4)
head = nn.Linear(4, 2)
optimizer = torch.optim.SGD([*squeeze.parameters(), *norm.parameters(), *head.parameters()], lr=0.1)
for step in range(3):
    x, y = torch.randn(6, 3, 4, 4), torch.randint(0, 2, (6,))
    h = squeeze(x)
    h = norm(h).flatten(1)
    loss = nn.functional.cross_entropy(head(h), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
