"""y = x² at 2: dy/dx = 2x = 4."""
import torch

x = torch.tensor(2.0, requires_grad=True)
y = x**2
y.backward()
