"""CS224N: f = (x + y)·max(y, z) at (1, 2, 0): f = 6, gradients 2, 5, 0."""
import torch

x = torch.tensor(1.0, requires_grad=True)
y = torch.tensor(2.0, requires_grad=True)
z = torch.tensor(0.0, requires_grad=True)
a = x + y
b = torch.maximum(y, z)
f = a * b
f.backward()
