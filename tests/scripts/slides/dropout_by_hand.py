"""Inverted dropout by hand: the mask decides who learns."""
import torch

W = torch.tensor([[0.5, -0.2, 0.1], [0.3, 0.8, -0.6]], requires_grad=True)
x = torch.tensor([1.0, 2.0, 3.0])
mask = torch.tensor([1.0, 0.0])
p = 0.5

h = torch.relu(W @ x)
d = h * mask / (1 - p)
loss = (d - 1.0).pow(2).sum()
loss.backward()
