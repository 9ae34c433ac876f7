"""The chain rule through a sum with a constant: y = log(1 + x²)."""
import torch

x = torch.tensor(2.0, requires_grad=True)
y = torch.log(1 + x**2)
y.backward()
