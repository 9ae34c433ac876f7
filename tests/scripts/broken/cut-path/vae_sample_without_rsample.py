# expect: cut-path
# line: 24
# harmed: encode.*, mean.*, spread.*

"""A variational autoencoder: the reconstruction does not train the encoder, the KL term alone does."""
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(10, 8)
        self.mean, self.spread = nn.Linear(8, 3), nn.Linear(8, 3)
        self.decode = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 10))

    def posterior(self, x):
        h = torch.relu(self.encode(x))
        return Normal(self.mean(h), self.spread(h).exp())

    def forward(self, x):
        q = self.posterior(x)
        z = q.sample()
        return self.decode(z), kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean()


torch.manual_seed(0)
model = VAE()
optimizer = torch.optim.Adam(model.parameters())
for _ in range(3):
    x = torch.randn(32, 10)
    out, kl = model(x)
    loss = nn.functional.mse_loss(out, x) + 0.1 * kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
