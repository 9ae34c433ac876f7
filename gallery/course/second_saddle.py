"""A row of the Hessian of z = x²·y: the gradient's graph, differentiated again."""
import torch

x = torch.tensor(2.0, requires_grad=True)
y = torch.tensor(3.0, requires_grad=True)
z = x**2 * y
(zx, zy) = torch.autograd.grad(z, (x, y), create_graph=True)
zx.backward()
