# expect: nothing

"""Spectral norm in the discriminator, weight norm in a temporal convolution."""
import torch
import torch.nn as nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm


class TemporalNet(nn.Module):
    def __init__(self, channels=8):
        super().__init__()
        self.conv1 = weight_norm(nn.Conv1d(1, channels, 3, padding=2, dilation=2))
        self.conv2 = weight_norm(nn.Conv1d(channels, 1, 3, padding=1))

    def forward(self, x):
        return self.conv2(torch.relu(self.conv1(x)))


def discriminator():
    return nn.Sequential(
        spectral_norm(nn.Linear(16, 16)),
        nn.LeakyReLU(0.1),
        spectral_norm(nn.Linear(16, 1)),
    )


torch.manual_seed(0)
net, disc = TemporalNet(), discriminator()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
opt_d = torch.optim.Adam(disc.parameters(), lr=5e-3)
noise, clean = torch.randn(16, 1, 16), torch.sin(torch.linspace(0, 6, 16)).expand(16, 1, 16)
for step in range(5):
    out = net(clean + 0.3 * noise)
    d_loss = torch.relu(1 - disc(clean)).mean() + torch.relu(1 + disc(out.detach())).mean()
    opt_d.zero_grad()
    d_loss.backward()
    opt_d.step()
    loss = nn.functional.mse_loss(out, clean) - 0.01 * disc(out).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(f"{step}: disc {d_loss.item():.4f} net {loss.item():.4f}")
