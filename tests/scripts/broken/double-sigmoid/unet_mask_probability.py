# expect: double-sigmoid
# line: 22 or 26
# harmed: *

"""Binary segmentation with a combined BCE and Dice loss."""
import torch
import torch.nn.functional as F
from torch import nn


class SegNet(nn.Module):
    def __init__(self, channels=6):
        super().__init__()
        self.enc = nn.Conv2d(1, channels, 3, padding=1)
        self.bottleneck = nn.Conv2d(channels, channels, 3, padding=1)
        self.dec = nn.Conv2d(2 * channels, 1, 3, padding=1)

    def forward(self, x):
        e = F.relu(self.enc(x))
        b = F.relu(self.bottleneck(F.max_pool2d(e, 2)))
        b = F.interpolate(b, scale_factor=2, mode="nearest")
        return torch.sigmoid(self.dec(torch.cat([e, b], dim=1)))


def segmentation_loss(mask, target):
    bce = F.binary_cross_entropy_with_logits(mask, target)
    dice = 1 - 2 * (mask * target).sum() / (mask.sum() + target.sum() + 1e-6)
    return bce + dice


torch.manual_seed(0)
images = torch.rand(5, 1, 8, 8)
masks = (F.avg_pool2d(images, 3, 1, 1) > 0.5).float()
net = SegNet()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(3):
    loss = segmentation_loss(net(images), masks)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
