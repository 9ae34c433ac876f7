"""A generator and a discriminator of points on a circle."""

import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
discriminator = nn.Sequential(
    nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1)
)
optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-3)
optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=2e-3)
criterion = nn.BCEWithLogitsLoss()

for step in range(4):
    angle = torch.rand(64) * 6.2832
    real = torch.stack([angle.cos(), angle.sin()], dim=1)
    fake = generator(torch.randn(64, 8))

    optimizer_d.zero_grad()
    loss_real = criterion(discriminator(real), torch.ones(64, 1))
    loss_fake = criterion(discriminator(fake.detach()), torch.zeros(64, 1))
    (loss_real + loss_fake).backward()
    optimizer_d.step()

    optimizer_g.zero_grad()
    loss_g = criterion(discriminator(fake), torch.ones(64, 1))
    loss_g.backward()
    optimizer_g.step()
    print(f"{step} discriminator {loss_real + loss_fake:.4f} generator {loss_g:.4f}")
