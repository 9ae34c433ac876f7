# expect: nothing

"""Gradients are clipped and parameters kept small in place; a norm is asked for and dropped."""
import torch
from torch import nn

torch.manual_seed(0)
critic = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 1))
optimizer = torch.optim.SGD(critic.parameters(), lr=0.05)
for step in range(3):
    x = torch.randn(8, 3)
    loss = (critic(x) - x.sum(1, keepdim=True)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    for parameter in critic.parameters():
        parameter.grad.clamp_(-1, 1)
        parameter.grad.norm()
    optimizer.step()
    for parameter in critic.parameters():
        parameter.data.clamp_(-2, 2)
