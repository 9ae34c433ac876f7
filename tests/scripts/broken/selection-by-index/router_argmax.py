# expect: selection-by-index
# line: 18
# harmed: router.*

"""Two experts; the router sends each row to one of them."""
import torch
from torch import nn


class Mixture(nn.Module):
    def __init__(self):
        super().__init__()
        self.router = nn.Linear(4, 2)
        self.first = nn.Linear(4, 1)
        self.second = nn.Linear(4, 1)

    def forward(self, x):
        choice = self.router(x).argmax(dim=1, keepdim=True)
        both = torch.cat([self.first(x), self.second(x)], dim=1)
        return both.gather(1, choice)


def main():
    torch.manual_seed(1)
    model = Mixture()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for step in range(3):
        x = torch.randn(20, 4)
        loss = (model(x) - x.abs().sum(dim=1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
