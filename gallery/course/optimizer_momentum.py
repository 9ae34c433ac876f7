"""Momentum: the step follows a running sum of gradients."""
import torch

w = torch.tensor(2.0, requires_grad=True)
m = torch.tensor(0.0)
for _ in range(3):
    f = w**2 / 2
    f.backward()
    m = 0.9*m + w.grad
    with torch.no_grad():
        w -= 0.1 * m
    w.grad = None
