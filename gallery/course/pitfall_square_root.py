"""The square root at 0 has no slope: the gradient is infinite, and 0 · ∞ is NaN."""
import torch

x = torch.tensor(0.0, requires_grad=True)
y = torch.sqrt(x**2)
y.backward()
