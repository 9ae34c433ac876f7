"""z = x² − y² at (0, 0): a saddle point, where both gradients are 0 and neither is None."""
import torch

x = torch.tensor(0.0, requires_grad=True)
y = torch.tensor(0.0, requires_grad=True)
z = x**2 - y**2
z.backward()
