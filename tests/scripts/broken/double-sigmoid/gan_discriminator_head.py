# expect: double-sigmoid
# line: 16 or 30 or 31 or 37
# harmed: *

import torch
import torch.nn as nn

torch.manual_seed(0)


def make_generator(latent, out):
    return nn.Sequential(nn.Linear(latent, 16), nn.LeakyReLU(0.2), nn.Linear(16, out))


def make_discriminator(n):
    return nn.Sequential(nn.Linear(n, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1), nn.Sigmoid())


generator, discriminator = make_generator(4, 2), make_discriminator(2)
opt_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
opt_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
adversarial_loss = nn.BCEWithLogitsLoss()
ones, zeros = torch.ones(16, 1), torch.zeros(16, 1)

for i in range(3):
    real = torch.randn(16, 2) + torch.tensor([2.0, -1.0])
    fake = generator(torch.randn(16, 4))

    opt_d.zero_grad()
    d_real = adversarial_loss(discriminator(real), ones)
    d_fake = adversarial_loss(discriminator(fake.detach()), zeros)
    d_loss = (d_real + d_fake) / 2
    d_loss.backward()
    opt_d.step()

    opt_g.zero_grad()
    g_loss = adversarial_loss(discriminator(fake), ones)
    g_loss.backward()
    opt_g.step()
    print(f"[{i}] d {d_loss.item():.4f} g {g_loss.item():.4f}")
