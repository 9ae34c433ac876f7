# expect: moving-frozen-parameter
# line: 31 or 39
# harmed: feature.weight, feature.bias

"""Feature-matching discriminator whose first layer is frozen after the first update (FreezeD)."""
import torch
from torch import nn


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.feature = nn.Linear(2, 12)
        self.middle = nn.Linear(12, 12)
        self.score = nn.Linear(12, 1)

    def forward(self, x):
        h = torch.tanh(self.feature(x))
        return self.score(torch.tanh(self.middle(h)))


def logistic(real, fake):
    return torch.nn.functional.softplus(-real).mean() + torch.nn.functional.softplus(fake).mean()


def train(steps=4, freeze_at=1):
    disc = Discriminator()
    optimizer = torch.optim.AdamW(disc.parameters(), lr=2e-3)
    for step in range(steps):
        if step == freeze_at:
            disc.feature.requires_grad_(False)
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad.zero_()
        real = torch.randn(16, 2) + 1
        loss = logistic(disc(real), disc(torch.randn(16, 2)))
        loss.backward()
        optimizer.step()
        print(f"{step}: {loss.item():.4f}")


torch.manual_seed(0)
train()
