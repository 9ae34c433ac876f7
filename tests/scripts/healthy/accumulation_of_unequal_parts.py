# expect: nothing

"""Gradients of several small batches, one of them empty after filtering, added up before each step."""
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for step in range(3):
    x, y = torch.randn(12, 6), torch.randint(-1, 3, (12,))
    y[4:8] = -1  # unlabelled
    optimizer.zero_grad()
    total = 0.0
    for part, labels in zip(x.split(4), y.split(4)):
        known = labels >= 0
        loss = nn.functional.cross_entropy(model(part[known]), labels[known], reduction="sum") / len(x)
        loss.backward()
        total += loss.item()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    print(step, total)
