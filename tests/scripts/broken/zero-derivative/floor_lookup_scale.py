# expect: zero-derivative
# line: 19
# harmed: stretch

import torch
from torch import nn


class WarpedSignal(nn.Module):
    """Learns how much a reference curve is stretched along the time axis."""

    def __init__(self, reference):
        super().__init__()
        self.register_buffer("reference", reference)
        self.stretch = nn.Parameter(torch.tensor(0.8))
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, t):
        position = torch.floor(t * self.stretch)
        centre = torch.arange(len(self.reference), dtype=t.dtype)
        weight = torch.exp(-((position[:, None] - centre) ** 2))
        return self.gain * (weight @ self.reference) / weight.sum(dim=1)


torch.manual_seed(0)
reference = torch.sin(torch.linspace(0, 12, 40))
t = torch.arange(30).float()
observed = 1.5 * reference[(t * 1.1).long()]
model = WarpedSignal(reference)
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for step in range(5):
    optimizer.zero_grad()
    loss = (model(t) - observed).abs().mean()
    loss.backward()
    optimizer.step()
    print(step, loss.item(), model.stretch.item())
