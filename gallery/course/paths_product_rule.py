"""The product rule: y = sin(x²) · exp(−x²)."""
import torch

x = torch.tensor(0.8, requires_grad=True)
u = x**2
y = torch.sin(u) * torch.exp(-u)
y.backward()
