# expect: nothing

"""A physics-informed network: u'' = -sin(x) with u(0) = u(pi) = 0."""
import math

import torch
import torch.nn as nn


def derivative(y, x):
    return torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]


torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
edge = torch.tensor([[0.0], [math.pi]])
for step in range(6):
    x = (torch.rand(32, 1) * math.pi).requires_grad_()
    u = net(x)
    u_xx = derivative(derivative(u, x), x)
    residual = (u_xx + torch.sin(x)).pow(2).mean()
    boundary = net(edge).pow(2).mean()
    loss = residual + 10 * boundary
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{step}: residual {residual.item():.4f} boundary {boundary.item():.4f}")
