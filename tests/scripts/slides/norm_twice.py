"""The derivative of a norm, differentiated again."""
import torch
x = torch.tensor([3.0, 4.0], requires_grad=True)
n = x.norm()
(g,) = torch.autograd.grad(n, x, create_graph=True)
p = (g * torch.tensor([1.0, 0.0])).sum()
p.backward()
