# expect: non-leaf-tensor
# line: 13
# harmed: *

"""Regression on a learnt basis whose weights were scaled when the module was made."""
import torch
from torch import nn


class Basis(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.weights = nn.Parameter(torch.randn(count, 1)) + 0.5
        self.centres = nn.Parameter(torch.linspace(-1, 1, count))

    def forward(self, x):
        return torch.exp(-((x - self.centres) ** 2)) @ self.weights


def main():
    torch.manual_seed(9)
    basis = Basis(7)
    optimizer = torch.optim.Adam(basis.parameters(), lr=0.01)
    x = torch.linspace(-1, 1, 40).unsqueeze(1)
    for step in range(3):
        loss = (basis(x) - torch.sin(3 * x)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
