# expect: saturated-activation
# line: 19
# harmed: fc1.weight, fc1.bias

"""Digits from 8x8 grey values with one hidden layer."""
import argparse

import torch
from torch import nn


class OneHidden(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.fc1 = nn.Linear(64, hidden)
        self.fc2 = nn.Linear(hidden, 10)

    def forward(self, x):
        h = torch.sigmoid(self.fc1(x))
        return self.fc2(h)


def load(n):
    images = torch.randint(0, 256, (n, 8, 8)) * (torch.rand(n, 8, 8) > 0.2)
    return images.float().flatten(1), torch.randint(0, 10, (n,))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", type=int, default=24)
    parser.add_argument("--lr", type=float, default=0.05)
    args = parser.parse_args()
    torch.manual_seed(0)
    x, y = load(40)
    model = OneHidden(args.hidden)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr)
    for epoch in range(3):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(epoch, loss.item())


if __name__ == "__main__":
    main()
