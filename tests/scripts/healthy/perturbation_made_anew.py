# expect: nothing

"""Adversarial examples: the perturbation is a new parameter in every step, and only its grad is used."""
import torch
from torch import nn


def perturbed(net, x, y):
    delta = nn.Parameter(torch.zeros_like(x))
    nn.functional.cross_entropy(net(x + delta), y).backward()
    return (x + 0.1 * delta.grad.sign()).detach()


torch.manual_seed(0)
net = nn.Linear(4, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(4):
    x, y = torch.randn(8, 4), torch.randint(0, 2, (8,))
    moved = perturbed(net, x, y)
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(moved), y).backward()
    optimizer.step()
