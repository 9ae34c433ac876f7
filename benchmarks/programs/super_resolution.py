"""Sub-pixel convolution: an image twice as large from channels."""

import torch
import torch.nn.functional as F
from torch import nn


class SuperResolution(nn.Module):
    def __init__(self, factor=2):
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 5, padding=2), nn.Conv2d(32, 32, 3, padding=1)
        self.conv3, self.conv4 = nn.Conv2d(32, 16, 3, padding=1), nn.Conv2d(16, factor**2, 3, padding=1)
        self.pixel_shuffle = nn.PixelShuffle(factor)
        for layer in (self.conv1, self.conv2, self.conv3):
            nn.init.orthogonal_(layer.weight, nn.init.calculate_gain("relu"))
        nn.init.orthogonal_(self.conv4.weight)

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        x = self.relu(self.conv3(x))
        return self.pixel_shuffle(self.conv4(x))


torch.manual_seed(0)
model = SuperResolution()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(3):
    large = torch.rand(4, 1, 32, 32)
    small = F.interpolate(large, scale_factor=0.5, mode="bilinear")
    optimizer.zero_grad()
    loss = F.mse_loss(model(small), large)
    loss.backward()
    optimizer.step()
    print(f"{step} {loss.item():.4f}")
