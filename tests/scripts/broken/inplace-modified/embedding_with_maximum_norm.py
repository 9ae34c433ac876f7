# expect: inplace-modified
# line: 19
# harmed: *
# exit: 1

"""A two-tower recommender whose item table has a maximum norm."""
import torch
from torch import nn


class Towers(nn.Module):
    def __init__(self):
        super().__init__()
        self.items = nn.Embedding(25, 6, max_norm=0.5)
        self.users = nn.Linear(4, 6)

    def forward(self, users, history):
        every = self.users(users) @ self.items.weight.t()
        seen = self.items(history).mean(dim=1)
        return every + (seen @ self.items.weight.detach().t())


def main():
    torch.manual_seed(6)
    towers = Towers()
    optimizer = torch.optim.Adagrad(towers.parameters(), lr=0.1)
    users, history, bought = torch.randn(8, 4), torch.randint(25, (8, 3)), torch.randint(25, (8,))
    for _ in range(2):
        loss = nn.functional.cross_entropy(towers(users, history), bought)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
