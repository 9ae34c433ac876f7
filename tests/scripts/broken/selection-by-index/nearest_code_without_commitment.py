# expect: selection-by-index
# line: 20
# harmed: encoder.*

"""A vector-quantised autoencoder without straight-through estimator."""
import torch
from torch import nn


class Quantised(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(8, 4)
        self.codes = nn.Parameter(torch.randn(6, 4))
        self.decoder = nn.Linear(4, 8)

    def forward(self, x):
        z = self.encoder(x)
        distances = torch.cdist(z, self.codes)
        nearest = distances.min(dim=1).indices
        return self.decoder(self.codes[nearest])


torch.manual_seed(0)
model = Quantised()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(3):
    x = torch.randn(16, 8)
    loss = nn.functional.mse_loss(model(x), x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
