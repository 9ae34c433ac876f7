# expect: accidental-broadcast
# line: 15
# harmed: *

import torch
from torch import nn


class HuberLoss(nn.Module):
    def __init__(self, delta=1.0):
        super().__init__()
        self.delta = delta

    def forward(self, prediction, target):
        error = (prediction - target).abs()
        quadratic = error.clamp(max=self.delta)
        return (0.5 * quadratic**2 + self.delta * (error - quadratic)).mean()


class LoadForecast(nn.Module):
    """Tomorrow's load from the hourly values of today."""

    def __init__(self, hidden=10):
        super().__init__()
        self.lstm = nn.LSTM(2, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out[:, -1]).squeeze()


def main():
    torch.manual_seed(0)
    history = torch.randn(20, 12, 2)
    load = history[..., 0].mean(dim=1, keepdim=True)
    model = LoadForecast()
    criterion = HuberLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(3):
        optimizer.zero_grad()
        loss = criterion(model(history), load)
        loss.backward()
        optimizer.step()
        print(f"epoch {epoch}: {loss.item():.4f}")


if __name__ == "__main__":
    main()
