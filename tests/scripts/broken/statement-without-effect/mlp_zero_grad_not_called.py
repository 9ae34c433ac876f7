# expect: statement-without-effect
# line: 20
# harmed: *

"""Fits a plane; the grads are cleared once an epoch, or so it seems."""
import torch
from torch import nn


def main():
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.9)
    x = torch.randn(30, 3)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]])
    for epoch in range(4):
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        scheduler.step
        loss.backward()
        optimizer.step()
        print(epoch, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
