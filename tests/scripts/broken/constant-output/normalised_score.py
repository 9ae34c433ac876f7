# expect: constant-output
# line: 15
# harmed: *

"""Ranking: each score is normalised by itself."""
import torch
import torch.nn.functional as F

torch.manual_seed(0)
score = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
optimizer = torch.optim.Adam(score.parameters())
step = 0
while step < 3:
    left, right = torch.randn(16, 6), torch.randn(16, 6)
    margin = F.normalize(score(left), dim=1) - score(right)
    loss = F.softplus(-margin).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    step += 1
