"""Euler's method for logistic growth, four steps."""
import torch

r, K = torch.tensor(0.5, requires_grad=True), torch.tensor(10.0, requires_grad=True)
y, h = torch.tensor(1.0), 0.5
for _ in range(4):
    y = y + h * r * y * (1 - y / K)
error = (y - 2.0) ** 2
error.backward()
