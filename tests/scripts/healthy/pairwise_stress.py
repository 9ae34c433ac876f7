# expect: nothing

"""Multidimensional scaling: all pairwise distances by broadcasting [N, 1, D] and [1, N, D]."""
import torch
from torch import nn


class Layout(nn.Module):
    def __init__(self, n, dim=2):
        super().__init__()
        self.position = nn.Parameter(torch.randn(n, dim))

    def forward(self):
        diff = self.position.unsqueeze(1) - self.position.unsqueeze(0)
        return (diff.pow(2).sum(-1) + 1e-9).sqrt()


def margin_ranking(score, margin=0.5):
    """Every score against every other: [N, 1] - [1, N]."""
    gap = score.view(-1, 1) - score.view(1, -1)
    return torch.relu(margin - gap).triu(1).mean()


torch.manual_seed(0)
points = torch.randn(14, 4)
target = torch.cdist(points, points)
layout = Layout(14)
optimizer = torch.optim.Adam(layout.parameters(), lr=0.05)
for step in range(8):
    stress = (layout() - target).pow(2).mean()
    loss = stress + 0.1 * margin_ranking(layout.position[:, 0])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{step}: stress {stress.item():.4f}")
