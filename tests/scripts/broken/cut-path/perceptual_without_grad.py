# expect: cut-path
# line: 16
# harmed: restore.*

"""Denoising: the features of the output are computed with gradients turned off, as those of the target are."""
import torch
from torch import nn


class Perceptual(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 3)).requires_grad_(False)

    def forward(self, image, target):
        with torch.no_grad():
            return nn.functional.mse_loss(self.features(image), self.features(target))


torch.manual_seed(2)
restore = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1))
perceptual = Perceptual()
optimizer = torch.optim.Adam(restore.parameters())
for _ in range(3):
    noisy, clean = torch.randn(2, 1, 8, 8), torch.randn(2, 1, 8, 8)
    out = restore(noisy)
    loss = nn.functional.l1_loss(out, clean) + 0.1 * perceptual(out, clean)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
