# expect: stale-gradient
# line: 26 or 30 or 31
# harmed: *

"""Next-value prediction on a sine wave."""
import torch
from torch import nn


class SineLSTM(nn.Module):
    def __init__(self, hidden=12):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.linear(out)


def fit(model, series, epochs=2, batch_size=4):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    criterion = nn.MSELoss()
    for epoch in range(epochs):
        model.train()
        optimizer.zero_grad()
        total = 0.0
        for chunk in series.split(batch_size):
            loss = criterion(model(chunk[:, :-1]), chunk[:, 1:])
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch}: {total:.4f}")


torch.manual_seed(0)
phase = torch.rand(16, 1) * 6.28
series = torch.sin(phase + torch.linspace(0, 6, 15)).unsqueeze(-1)
fit(SineLSTM(), series)
