# expect: statement-without-effect
# line: 22
# harmed: *

"""A critic whose weights are to stay small, as in the first Wasserstein GAN."""
import torch
from torch import nn


def main():
    torch.manual_seed(1)
    critic = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.RMSprop(critic.parameters(), lr=1e-3)
    for step in range(4):
        real, fake = torch.randn(32, 2) + 1, torch.randn(32, 2)
        loss = critic(fake).mean() - critic(real).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for weight in critic.parameters():
                weight.clamp(-0.05, 0.05)
        print(step, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
