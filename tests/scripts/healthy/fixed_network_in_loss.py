# expect: nothing

"""A perceptual loss by a fixed network that was not frozen: it gets gradients, which nothing uses."""
import torch
from torch import nn

torch.manual_seed(0)
restore = nn.Conv2d(1, 1, 3, padding=1)
features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
optimizer = torch.optim.Adam(restore.parameters())
for noisy, clean in torch.randn(3, 2, 2, 1, 6, 6):
    loss = nn.functional.mse_loss(features(restore(noisy)), features(clean))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
