# expect: attribute-without-effect
# line: 21
# harmed: *

"""Regression with a learning rate that is lowered by hand."""
import torch
from torch import nn


def main():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x, y = torch.randn(40, 4), torch.randn(40, 1)
    for epoch in range(5):
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate = 0.1 * 0.5**epoch
        optimizer.lr = rate
        print(epoch, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
