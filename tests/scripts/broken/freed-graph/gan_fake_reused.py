# expect: freed-graph
# line: 40 or 43 or 47
# harmed: *
# exit: 1

"""A GAN on a mixture of two Gaussians."""
import torch
import torch.nn.functional as F
from torch import nn


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 1))

    def forward(self, z):
        return self.net(z)


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 12), nn.ReLU(), nn.Linear(12, 1))

    def forward(self, x):
        return self.net(x)


def sample_real(n):
    return torch.where(torch.rand(n, 1) < 0.5, -1.0, 1.0) + 0.1 * torch.randn(n, 1)


torch.manual_seed(0)
generator, critic = Generator(), Critic()
g_opt = torch.optim.RMSprop(generator.parameters(), lr=1e-3)
c_opt = torch.optim.RMSprop(critic.parameters(), lr=1e-3)
for step in range(3):
    fake = generator(torch.randn(16, 3))
    real_out, fake_out = critic(sample_real(16)), critic(fake)
    c_loss = F.softplus(-real_out).mean() + F.softplus(fake_out).mean()
    c_opt.zero_grad()
    c_loss.backward()

    g_loss = F.softplus(-critic(fake)).mean()
    g_opt.zero_grad()
    g_loss.backward()
    c_opt.step()
    g_opt.step()
    print(step, c_loss.item(), g_loss.item())
