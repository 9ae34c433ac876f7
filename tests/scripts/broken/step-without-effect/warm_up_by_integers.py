# expect: step-without-effect
# line: 13
# harmed: *

"""A linear warm-up whose factor is an integer division."""
import torch
from torch import nn


def main():
    torch.manual_seed(0)
    model = nn.Linear(5, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) // 500))
    for step in range(5):
        x = torch.randn(16, 5)
        loss = (model(x) - x.sum(dim=1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        print(step, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
