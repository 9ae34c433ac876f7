# expect: non-finite-forward
# line: 19 or 27 or 32
# harmed: *

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load_table(n=48):
    """Eight sensor columns; sensor 5 was switched off during the campaign."""
    table = torch.randn(n, 8) * torch.tensor([1.0, 5.0, 0.2, 3.0, 1.0, 0.0, 2.0, 9.0])
    target = table[:, :2].sum(dim=1, keepdim=True)
    return table, target


def standardise(table):
    mean, std = table.mean(dim=0), table.std(dim=0)
    return (table - mean) / std


def main():
    torch.manual_seed(0)
    features, target = load_table()
    features = standardise(features)
    loader = DataLoader(TensorDataset(features, target), batch_size=16)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_fn = nn.MSELoss()
    for epoch in range(2):
        for xb, yb in loader:
            loss = loss_fn(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch} loss {loss.item()}")


if __name__ == "__main__":
    main()
