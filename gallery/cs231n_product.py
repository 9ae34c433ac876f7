"""CS231n: f = (x + y)·z at (−2, 5, −4): f = −12, gradients −4, −4, 3."""
import torch

x = torch.tensor(-2.0, requires_grad=True)
y = torch.tensor(5.0, requires_grad=True)
z = torch.tensor(-4.0, requires_grad=True)
q = x + y
f = q * z
f.backward()
