# expect: nothing

"""WGAN with weight clipping: the critic steps three times for each step of the generator."""
import torch
from torch import nn


def mlp(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, 16), nn.LeakyReLU(0.2), nn.Linear(16, n_out))


def real_batch(n=32):
    return torch.randn(n, 2) * torch.tensor([0.3, 0.8]) + 1.0


torch.manual_seed(0)
generator, critic = mlp(3, 2), mlp(2, 1)
g_opt = torch.optim.RMSprop(generator.parameters(), lr=5e-3)
c_opt = torch.optim.RMSprop(critic.parameters(), lr=5e-3)
for it in range(4):
    for _ in range(3):
        fake = generator(torch.randn(32, 3)).detach()
        c_loss = critic(fake).mean() - critic(real_batch()).mean()
        c_opt.zero_grad()
        c_loss.backward()
        c_opt.step()
        with torch.no_grad():
            for p in critic.parameters():
                p.clamp_(-0.5, 0.5)
    g_loss = -critic(generator(torch.randn(32, 3))).mean()
    g_opt.zero_grad()
    g_loss.backward()
    g_opt.step()
    print(f"{it}: critic {c_loss.item():.4f} generator {g_loss.item():.4f}")
