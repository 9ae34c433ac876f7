# expect: detached
# line: 35
# harmed: generator.*

"""A GAN on two moons; both players see the same detached copy of the fakes."""
import torch
from torch import nn


def moons(count):
    angle = torch.rand(count) * torch.pi
    points = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)
    return points + 0.05 * torch.randn(count, 2)


def main():
    torch.manual_seed(3)
    generator = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 2))
    critic = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    by_generator = torch.optim.RMSprop(generator.parameters(), lr=1e-3)
    by_critic = torch.optim.RMSprop(critic.parameters(), lr=1e-3)
    for step in range(4):
        real = moons(32)
        fake = generator(torch.randn(32, 3))

        frozen = fake.detach()
        loss = nn.functional.softplus(-critic(real)).mean() + nn.functional.softplus(critic(frozen)).mean()
        by_critic.zero_grad()
        loss.backward()
        by_critic.step()

        by_generator.zero_grad()
        scores = critic(frozen)
        again = critic(
            fake.detach()
        )
        (-(scores + again).mean()).backward()
        by_generator.step()
        print(f"{step}: {loss.item():.3f} {scores.mean().item():.3f}")


if __name__ == "__main__":
    main()
