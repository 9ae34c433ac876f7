# expect: nothing

"""Contrastive learning with InfoNCE over a batch of two views."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Encoder(nn.Module):
    def __init__(self, n_in=10, width=24, dim=6):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(n_in, width), nn.BatchNorm1d(width), nn.ReLU())
        self.projector = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, dim))

    def forward(self, x):
        return F.normalize(self.projector(self.backbone(x)), dim=1)


def info_nce(z1, z2, temperature=0.3):
    z = torch.cat([z1, z2])
    sim = z @ z.t() / temperature
    sim.fill_diagonal_(float("-inf"))
    target = torch.arange(len(z)).roll(len(z1))
    return F.cross_entropy(sim, target)


torch.manual_seed(0)
encoder = Encoder()
optimizer = torch.optim.Adam(encoder.parameters(), lr=5e-3)
x = torch.randn(24, 10)
for step in range(6):
    loss = info_nce(encoder(x + 0.2 * torch.randn_like(x)), encoder(x + 0.2 * torch.randn_like(x)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
