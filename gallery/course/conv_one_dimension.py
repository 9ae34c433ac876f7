"""torch's conv1d on four numbers, then relu and the sum."""
import torch
from torch.nn import functional as F

x = torch.tensor([[[1.0, 0.0, -1.0, 2.0]]])
k = torch.tensor([[[0.5, -1.0]]], requires_grad=True)
y = torch.relu(F.conv1d(x, k))
loss = y.sum()
loss.backward()
