"""z = x² − y² at (2, 0): flat along y, not along x."""
import torch

x = torch.tensor(2.0, requires_grad=True)
y = torch.tensor(0.0, requires_grad=True)
z = x**2 - y**2
z.backward()
