"""Batch normalisation in small steps, after cs231n's assignment."""
import torch

x = torch.tensor([[1.0, 2.0], [3.0, -1.0], [5.0, 0.5]], requires_grad=True)
gamma = torch.tensor([1.0, 2.0], requires_grad=True)
beta = torch.tensor([0.0, 0.5], requires_grad=True)
dout = torch.tensor([[0.1, -0.2], [0.3, 0.4], [-0.5, 0.6]])

mu = x.mean(dim=0)
xc = x - mu
var = (xc ** 2).mean(dim=0)
std = torch.sqrt(var + 1e-5)
xn = xc / std
out = gamma * xn + beta
loss = (out * dout).sum()
loss.backward()
