"""The second derivative: y = x³, y′ = 3x², y″ = 6x."""
import torch

x = torch.tensor(2.0, requires_grad=True)
y = x**3
(dy,) = torch.autograd.grad(y, x, create_graph=True)
dy.backward()
