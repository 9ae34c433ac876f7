# expect: constant-output
# line: 17
# harmed: mix.*

"""A forecast: the sensors are mixed into one channel, and each time step of it is normalised alone."""
import torch
from torch import nn


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix, self.norm, self.head = nn.Conv1d(2, 1, 3, padding=1), nn.LayerNorm(1), nn.Linear(12, 1)

    def forward(self, sensors):
        h = self.mix(sensors).transpose(1, 2)
        h = self.norm(h)
        return self.head(h.squeeze(2))


torch.manual_seed(0)
forecast = Forecast()
optimizer = torch.optim.Adam(forecast.parameters())
for _ in range(3):
    loss = (forecast(torch.randn(4, 2, 12)) - torch.randn(4, 1)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
