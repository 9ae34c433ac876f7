"""micrograd: y = relu(2x + 1) at 1: y = 3, dy/dx = 2."""
import torch

x = torch.tensor(1.0, requires_grad=True)
y = torch.relu(2*x + 1)
y.backward()
