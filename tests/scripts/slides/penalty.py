"""A gradient penalty: the norm of the gradient at a point is pulled to 1."""
import torch

w = torch.tensor(0.7, requires_grad=True)
v = torch.tensor(-0.4, requires_grad=True)
x = torch.tensor(1.5, requires_grad=True)
d = v * torch.tanh(w * x)
(g,) = torch.autograd.grad(d, x, create_graph=True)
penalty = (g.abs() - 1) ** 2
penalty.backward()
