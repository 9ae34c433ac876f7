# expect: double-softmax
# line: 14
# harmed: student.*

"""Distillation: KLDivLoss gets probabilities where it expects their logarithms."""
import torch
from torch import nn

torch.manual_seed(0)
student, teacher = nn.Linear(12, 6), nn.Linear(12, 6).requires_grad_(False)
criterion = nn.KLDivLoss(reduction="batchmean")
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
for x in torch.randn(3, 32, 12):
    soft = student(x).softmax(-1)
    loss = criterion(soft, teacher(x).softmax(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
