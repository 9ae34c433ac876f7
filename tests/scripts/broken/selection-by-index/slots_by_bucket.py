# expect: selection-by-index
# line: 15
# harmed: weight

"""A memory whose rows are addressed by a learnt hash of the query."""
import torch
from torch import nn

torch.manual_seed(0)
hasher = nn.Linear(6, 1, bias=False)
memory = nn.Parameter(torch.randn(5, 3))
optimizer = torch.optim.SGD([hasher.weight, memory], lr=0.05)
edges = torch.tensor([-1.0, -0.3, 0.3, 1.0])
for queries in torch.randn(3, 16, 6):
    slots = torch.bucketize(hasher(queries).squeeze(1), edges)
    loss = (memory[slots] - queries[:, :3]).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
