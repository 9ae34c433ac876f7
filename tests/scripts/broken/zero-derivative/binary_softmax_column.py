# expect: zero-derivative
# line: 18
# harmed: *

import torch
import torch.nn as nn


class ChurnModel(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.fc1 = nn.Linear(n_features, 16)
        self.fc2 = nn.Linear(16, 1)
        self.softmax = nn.Softmax(dim=1)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        return self.softmax(self.fc2(x))


def main():
    torch.manual_seed(0)
    x = torch.randn(40, 7)
    y = (x[:, :1] + 0.3 * torch.randn(40, 1) > 0).float()
    model = ChurnModel(7)
    criterion = nn.BCELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(4):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        print(f"Epoch {epoch}, Loss: {loss.item():.4f}")


main()
