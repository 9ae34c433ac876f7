"""r = √(x² + y²): the gradient points away from the origin and has length 1."""
import torch

x = torch.tensor(3.0, requires_grad=True)
y = torch.tensor(4.0, requires_grad=True)
r = torch.sqrt(x**2 + y**2)
r.backward()
