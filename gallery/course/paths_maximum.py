"""The maximum passes the gradient to the larger one only."""
import torch

a = torch.tensor(2.0, requires_grad=True)
b = torch.tensor(5.0, requires_grad=True)
m = torch.maximum(3*a, b)
y = m**2
y.backward()
