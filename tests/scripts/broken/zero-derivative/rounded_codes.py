# expect: zero-derivative
# line: 19
# harmed: encoder.0.weight, encoder.0.bias, encoder.2.weight, encoder.2.bias

"""Compress signals into small integer codes."""
import torch
import torch.nn as nn


class IntegerAutoencoder(nn.Module):
    def __init__(self, n=16, codes=6, levels=8):
        super().__init__()
        self.levels = levels
        self.encoder = nn.Sequential(nn.Linear(n, 24), nn.ReLU(), nn.Linear(24, codes))
        self.decoder = nn.Sequential(nn.Linear(codes, 24), nn.ReLU(), nn.Linear(24, n))

    def forward(self, x):
        z = torch.sigmoid(self.encoder(x)) * (self.levels - 1)
        q = torch.round(z)
        return self.decoder(q / (self.levels - 1))


torch.manual_seed(0)
t = torch.linspace(0, 6.28, 16)
signals = torch.sin(torch.rand(32, 1) * 3 * t + torch.rand(32, 1) * 6.28)
model = IntegerAutoencoder()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(5):
    loss = nn.functional.mse_loss(model(signals), signals)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch}: mse {loss.item():.4f}")
