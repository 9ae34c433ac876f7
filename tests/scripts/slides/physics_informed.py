"""A physics-informed loss: u' = -u for a network of one neuron."""
import torch

t = torch.tensor(0.5, requires_grad=True)
a = torch.tensor(0.8, requires_grad=True)
b = torch.tensor(-0.3, requires_grad=True)
u = a * torch.tanh(b * t) + 1
(du,) = torch.autograd.grad(u, t, create_graph=True)
residual = (du + u) ** 2
residual.backward()
