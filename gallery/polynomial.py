"""z = x² + 2x + 1 at 2: dz/dx = 2x + 2 = 6, by two paths that meet in x."""
import torch

x = torch.tensor(2.0, requires_grad=True)
z = x**2 + 2*x + 1
z.backward()
