"""Third powers and a sine, differentiated twice."""
import torch

x = torch.tensor(2.0, requires_grad=True)
y = x**3 + torch.sin(x) / x
(dy,) = torch.autograd.grad(y, x, create_graph=True)
dy.backward()
