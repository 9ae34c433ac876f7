"""The chain rule: y = sin(x²) has the derivative cos(x²) · 2x."""
import torch

x = torch.tensor(1.5, requires_grad=True)
u = x**2
y = torch.sin(u)
y.backward()
