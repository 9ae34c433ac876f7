# expect: scaled-step
# line: 28
# harmed: generator.*

"""A GAN in mixed precision: the generator's step was forgotten when the scaler came in."""
import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8))
critic = nn.Sequential(nn.Linear(8, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
critic_optimizer = torch.optim.SGD(critic.parameters(), lr=0.02)
generator_optimizer = torch.optim.SGD(generator.parameters(), lr=0.02)
scaler = torch.amp.GradScaler("cpu", init_scale=512.0)
for step in range(5):
    fake = generator(torch.randn(16, 4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        real_score, fake_score = critic(torch.randn(16, 8) + 1), critic(fake.detach())
        critic_loss = nn.functional.softplus(-real_score).mean() + nn.functional.softplus(fake_score).mean()
    critic_optimizer.zero_grad()
    scaler.scale(critic_loss).backward()
    scaler.step(critic_optimizer)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        generator_loss = nn.functional.softplus(-critic(fake)).mean()
    generator_optimizer.zero_grad()
    scaler.scale(generator_loss).backward()
    generator_optimizer.step()
    scaler.update()
