"""Baydin et al.: y = ln x1 + x1 x2 − sin x2 at (2, 5): y = 11.652, gradients 5.5 and 1.716."""
import torch

x1 = torch.tensor(2.0, requires_grad=True)
x2 = torch.tensor(5.0, requires_grad=True)
y = torch.log(x1) + x1*x2 - torch.sin(x2)
y.backward()
