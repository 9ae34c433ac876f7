# expect: cut-path
# line: 25
# harmed: generator.*

"""Image to image: the adversarial term of the generator is computed from a detached image, the L1 term is not."""
import torch
from torch import nn

torch.manual_seed(1)
generator = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 6))
critic = nn.Sequential(nn.Linear(6, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
g_optimizer = torch.optim.Adam(generator.parameters())
c_optimizer = torch.optim.Adam(critic.parameters())
bce = nn.BCEWithLogitsLoss()
ones, zeros = torch.ones(16, 1), torch.zeros(16, 1)
for _ in range(3):
    source, target = torch.randn(16, 6), torch.randn(16, 6)
    fake = generator(source)
    c_loss = bce(critic(target), ones) + bce(critic(fake.detach()), zeros)
    c_optimizer.zero_grad()
    c_loss.backward()
    c_optimizer.step()

    g_optimizer.zero_grad()
    adversarial = bce(critic(fake.detach()), ones)
    g_loss = adversarial + 100 * nn.functional.l1_loss(fake, target)
    g_loss.backward()
    g_optimizer.step()
