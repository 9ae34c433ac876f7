# expect: nothing

"""A GAN with hinge losses that switches requires_grad of the discriminator off while the generator learns."""
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm


def toggle(module, on):
    for parameter in module.parameters():
        parameter.requires_grad_(on)


torch.manual_seed(0)
G = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
D = nn.Sequential(spectral_norm(nn.Linear(2, 16)), nn.LeakyReLU(0.2), spectral_norm(nn.Linear(16, 1)))
of_g, of_d = (torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.0, 0.9)) for net in (G, D))
for step in range(6):
    real = torch.randn(16, 2) + 2
    toggle(D, True)
    for _ in range(2):
        fake = G(torch.randn(16, 4)).detach()
        d_loss = F.relu(1 - D(real)).mean() + F.relu(1 + D(fake)).mean()
        of_d.zero_grad()
        d_loss.backward()
        of_d.step()
    toggle(D, False)
    g_loss = -D(G(torch.randn(16, 4))).mean()
    of_g.zero_grad()
    g_loss.backward()
    of_g.step()
    print(step, d_loss.item(), g_loss.item())
