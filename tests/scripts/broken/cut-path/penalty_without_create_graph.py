# expect: cut-path
# line: 14
# harmed: *

"""WGAN: the gradient penalty is a constant, since its gradients have no graph."""
import torch
from torch import nn


def penalty(critic, real, fake):
    share = torch.rand(len(real), 1)
    mixed = (share * real + (1 - share) * fake).requires_grad_()
    score = critic(mixed).sum()
    (slope,) = torch.autograd.grad(score, mixed)
    return ((slope.norm(dim=1) - 1) ** 2).mean()


def train(steps=3):
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(6, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    optimizer = torch.optim.RMSprop(critic.parameters(), lr=1e-3)
    for _ in range(steps):
        real, fake = torch.randn(16, 6), torch.randn(16, 6)
        optimizer.zero_grad()
        loss = critic(fake).mean() - critic(real).mean() + 10 * penalty(critic, real, fake)
        loss.backward()
        optimizer.step()


train()
