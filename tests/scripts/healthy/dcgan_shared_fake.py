# expect: nothing

"""The usual DCGAN loop: one fake batch for both players."""
import torch
import torch.nn as nn


class Generator(nn.Module):
    def __init__(self, latent=6):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(latent, 8, 4, 1, 0, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(True),
            nn.ConvTranspose2d(8, 1, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.main(z)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(8, 1, 4, 1, 0, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.main(x).view(-1)


torch.manual_seed(999)
netG, netD = Generator(), Discriminator()
criterion = nn.BCELoss()
optimizerD = torch.optim.Adam(netD.parameters(), lr=2e-3, betas=(0.5, 0.999))
optimizerG = torch.optim.Adam(netG.parameters(), lr=2e-3, betas=(0.5, 0.999))
for i in range(4):
    netD.zero_grad()
    real = torch.rand(8, 1, 8, 8) * 2 - 1
    errD_real = criterion(netD(real), torch.ones(8))
    errD_real.backward()
    fake = netG(torch.randn(8, 6, 1, 1))
    errD_fake = criterion(netD(fake.detach()), torch.zeros(8))
    errD_fake.backward()
    optimizerD.step()

    netG.zero_grad()
    errG = criterion(netD(fake), torch.ones(8))
    errG.backward()
    optimizerG.step()
    print(f"[{i}] Loss_D {(errD_real + errD_fake).item():.4f} Loss_G {errG.item():.4f}")
