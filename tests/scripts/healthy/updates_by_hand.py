# expect: nothing

"""The optimizer clears the grads; the updates are made by hand. A second one warms up from a rate of 0."""
import torch
from torch import nn


def main():
    torch.manual_seed(0)
    model, other = nn.Linear(3, 1), nn.Linear(3, 1)
    clears = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(4):
        loss = (model(torch.randn(8, 3)) - 1).square().mean()
        clears.zero_grad()
        loss.backward()
        with torch.no_grad():
            for weight in model.parameters():
                weight -= 0.1 * weight.grad
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 4))
    for step in range(4):
        loss = (other(torch.randn(8, 3)) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        print(step, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
