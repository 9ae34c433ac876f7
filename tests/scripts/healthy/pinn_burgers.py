# expect: nothing

"""A physics-informed net for Burgers' equation, with derivatives by autograd.grad inside the loss."""
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
x = (2 * torch.rand(40, 1) - 1).requires_grad_()
t = torch.rand(40, 1).requires_grad_()
x0 = torch.linspace(-1, 1, 20)[:, None]


def derivative(y, of):
    return torch.autograd.grad(y, of, torch.ones_like(y), create_graph=True)[0]


for step in range(4):
    u = net(torch.cat([x, t], 1))
    u_x, u_t = derivative(u, x), derivative(u, t)
    residual = u_t + u * u_x - 0.01 / torch.pi * derivative(u_x, x)
    start = net(torch.cat([x0, torch.zeros_like(x0)], 1)) + torch.sin(torch.pi * x0)
    loss = residual.pow(2).mean() + start.pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
