# expect: constant-output
# line: 16
# harmed: *

"""Two views of a picture, of which the second was meant to be augmented."""
import torch
from torch import nn

torch.manual_seed(0)
embed = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
optimizer = torch.optim.SGD(embed.parameters(), lr=0.1)
for _ in range(3):
    picture = torch.randn(8, 8)
    one = embed(picture)
    two = one
    loss = nn.functional.mse_loss(one, two)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
