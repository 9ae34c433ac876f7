# expect: non-finite-gradient
# line: 22
# harmed: *

"""Metric learning with batch-hard triplets."""
import torch
from torch import nn


class Embedder(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(8, 16)
        self.fc2 = nn.Linear(16, 4)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


def distance_matrix(z):
    diff = z.unsqueeze(0) - z.unsqueeze(1)
    return diff.pow(2).sum(-1).sqrt()


def batch_hard(z, labels, margin=0.3):
    dist = distance_matrix(z)
    same = labels[:, None] == labels[None, :]
    hardest_pos = (dist * same).max(dim=1).values
    hardest_neg = (dist + 1e3 * same).min(dim=1).values
    return torch.relu(hardest_pos - hardest_neg + margin).mean()


torch.manual_seed(0)
x = torch.randn(12, 8)
labels = torch.arange(12) % 3
model = Embedder()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(3):
    loss = batch_hard(model(x), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
