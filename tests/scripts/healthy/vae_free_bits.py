# expect: nothing

"""A VAE with free bits: the KL of a dimension is clamped from below, at first for all dimensions."""
import torch
from torch import nn
from torch.nn import functional as F


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 8))
        self.decoder = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 20))

    def forward(self, x):
        mean, log_var = self.encoder(x).chunk(2, 1)
        z = mean + torch.randn_like(mean) * (0.5 * log_var).exp()
        kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var)
        return self.decoder(z), kl.mean(0).clamp(min=0.25).sum()


torch.manual_seed(0)
model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(5):
    x = torch.rand(32, 20).round()
    logits, kl = model(x)
    loss = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x) + min(1.0, step / 3) * kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item(), kl.item())
