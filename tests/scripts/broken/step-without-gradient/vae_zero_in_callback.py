# expect: step-without-gradient
# line: 31 or 48
# harmed: *

"""A VAE with small callbacks around the training step."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class VAE(nn.Module):
    def __init__(self, n=10, latent=2):
        super().__init__()
        self.enc = nn.Linear(n, 12)
        self.mu = nn.Linear(12, latent)
        self.logvar = nn.Linear(12, latent)
        self.dec = nn.Sequential(nn.Linear(latent, 12), nn.Tanh(), nn.Linear(12, n))

    def forward(self, x):
        h = torch.tanh(self.enc(x))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        return self.dec(z), mu, logvar


class Callback:
    def __init__(self, optimizer):
        self.optimizer = optimizer

    def after_backward(self):
        self.optimizer.zero_grad(set_to_none=False)

    def after_step(self, step, loss):
        print(f"{step} elbo {-loss:.4f}")


torch.manual_seed(0)
model = VAE()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
callback = Callback(optimizer)
x = torch.randn(20, 10)
for step in range(4):
    recon, mu, logvar = model(x)
    kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(dim=1).mean()
    loss = F.mse_loss(recon, x, reduction="sum") / len(x) + kl
    loss.backward()
    callback.after_backward()
    optimizer.step()
    callback.after_step(step, loss.item())
