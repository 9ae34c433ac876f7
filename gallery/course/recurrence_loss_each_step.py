"""A loss at every step: the gradient comes from all of them."""
import torch

w = torch.tensor(0.8, requires_grad=True)
h = torch.tensor(1.0)
loss = torch.tensor(0.0)
for target in (1.0, 0.5):
    h = torch.tanh(w * h)
    loss = loss + (h - target) ** 2
loss.backward()
