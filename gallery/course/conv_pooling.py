"""Max pooling sends the gradient to the largest of its window."""
import torch
from torch.nn import functional as F

x = torch.tensor([[[1.0, 3.0, 2.0, -1.0]]], requires_grad=True)
y = F.max_pool1d(x, 2)
loss = (y**2).sum()
loss.backward()
