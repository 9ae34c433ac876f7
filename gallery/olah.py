"""Olah: e = (a + b)·(b + 1) at (2, 1): e = 6, ∂e/∂a = 2, ∂e/∂b = 5 over two paths."""
import torch

a = torch.tensor(2.0, requires_grad=True)
b = torch.tensor(1.0, requires_grad=True)
c = a + b
d = b + 1
e = c * d
e.backward()
