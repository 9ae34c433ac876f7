# expect: non-leaf-tensor
# line: 16
# harmed: latent
# exit: 1

"""Find the latent code whose decoded image matches a target (GAN inversion)."""
import torch
from torch import nn


def build_generator():
    return nn.Sequential(nn.Linear(8, 16), nn.LeakyReLU(0.2), nn.Linear(16, 36), nn.Tanh())


def invert(generator, target, steps=5):
    latent = torch.randn(1, 8, requires_grad=True).clamp(-2, 2)
    optimizer = torch.optim.LBFGS([latent], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(generator(latent), target)
        loss.backward()
        return loss

    for i in range(steps):
        print(i, optimizer.step(closure).item())
    return latent


torch.manual_seed(0)
generator = build_generator().requires_grad_(False)
target = generator(torch.randn(1, 8))
invert(generator, target)
