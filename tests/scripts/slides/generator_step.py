"""A GAN's generator step: the gradient passes through the discriminator."""
import torch
import torch.nn as nn

torch.manual_seed(0)
G = nn.Linear(1, 2)
D = nn.Sequential(nn.Linear(2, 2), nn.LeakyReLU(0.2), nn.Linear(2, 1))
for p in D.parameters():
    p.requires_grad_(False)
z = torch.tensor([[0.5]])

fake = G(z)
score = D(fake)
loss = nn.functional.softplus(-score).mean()
loss.backward()
