# expect: nothing

"""A GAN with one backward for both players: the term of the critic is detached from the generator, and trains it not."""
import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 6))
critic = nn.Sequential(nn.Linear(6, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
optimizers = [torch.optim.Adam(generator.parameters()), torch.optim.Adam(critic.parameters())]
bce = nn.BCEWithLogitsLoss()
for _ in range(3):
    source, target = torch.randn(16, 6), torch.randn(16, 6)
    fake = generator(source)
    c_loss = bce(critic(target), torch.ones(16, 1)) + bce(critic(fake.detach()), torch.zeros(16, 1))
    loss = c_loss + nn.functional.l1_loss(fake, target)
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
