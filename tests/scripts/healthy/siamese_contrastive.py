# expect: nothing

"""Pairs with a margin: the hinge is inactive for most pairs, and in one step for all."""
import torch
from torch import nn
from torch.nn import functional as F


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.tower = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 6))

    def forward(self, a, b):
        return F.pairwise_distance(self.tower(a), self.tower(b))


def contrastive(distance, same, margin=1.0):
    return (same * distance.pow(2) + (1 - same) * F.relu(margin - distance).pow(2)).mean()


torch.manual_seed(0)
model = Siamese()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(6):
    a, b = torch.randn(12, 10), torch.randn(12, 10)
    same = torch.zeros(12) if step == 0 else (torch.arange(12) % 2).float()
    if step == 0:
        b = b + 30  # far apart: nothing to learn from these
    loss = contrastive(model(a, b), same)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
