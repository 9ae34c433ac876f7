# expect: nothing

"""Attributes and statements that look idle and are not: of the script's own classes, for their effect, or in place."""
import torch
from torch import nn


class Meter:
    def __init__(self):
        self.total, self.step, self.seen = 0.0, 0, set()

    def add(self, value):
        self.total += value


class Step(torch.optim.SGD):
    """An optimizer of the script, which reads its own attribute."""

    def step(self, closure=None):
        for group in self.param_groups:
            group["lr"] = self.lr
        return super().step(closure)


def main():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    model.note, model[0].weight.shared = "of the script", True
    optimizer = Step(model.parameters(), lr=0.1)
    optimizer.lr = 0.1
    meter = Meter()
    for step in range(4):
        x = torch.randn(16, 4)
        x.mul_(0.5).clamp_(-1, 1)
        model.to(torch.float32)
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        loss.item()
        optimizer.step()
        meter.add(loss.item())
        meter.step
        meter.seen.add(step)
        optimizer.lr = 0.1 / (step + 1)
    print(f"{meter.total:.4f}")


if __name__ == "__main__":
    main()
