# expect: no-graph
# line: 22
# harmed: *
# exit: 1

"""Binary classifier on two noisy rings, with a validation pass after each epoch."""
import math

import torch
import torch.nn as nn


def make_rings(n):
    angle = torch.rand(n) * 2 * math.pi
    label = torch.randint(0, 2, (n,))
    radius = 1.0 + label + 0.1 * torch.randn(n)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1), label


def validate(model, x, y):
    model.eval()
    torch.set_grad_enabled(False)
    accuracy = (model(x).argmax(dim=1) == y).float().mean()
    model.train()
    return accuracy.item()


def main():
    torch.manual_seed(0)
    x_train, y_train = make_rings(64)
    x_val, y_val = make_rings(32)
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(5):
        optimizer.zero_grad()
        loss = criterion(model(x_train), y_train)
        loss.backward()
        optimizer.step()
        print(f"epoch {epoch}: loss {loss.item():.4f}, val acc {validate(model, x_val, y_val):.3f}")


if __name__ == "__main__":
    main()
