"""A relu that is off: nothing flows back."""
import torch

x = torch.tensor(2.0)
w = torch.tensor(-1.5, requires_grad=True)
b = torch.tensor(1.0, requires_grad=True)
z = w*x + b
y = torch.relu(z)
y.backward()
