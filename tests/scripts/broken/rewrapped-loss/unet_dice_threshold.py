# expect: rewrapped-loss
# line: 39
# harmed: *

"""Segment bright blobs with a two-level U-Net and the Dice score."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class MiniUNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 6, 3, padding=1)
        self.mid = nn.Conv2d(6, 6, 3, padding=1)
        self.up = nn.Conv2d(12, 1, 1)

    def forward(self, x):
        skip = F.relu(self.down(x))
        h = F.relu(self.mid(F.avg_pool2d(skip, 2)))
        h = F.interpolate(h, scale_factor=2)
        return torch.sigmoid(self.up(torch.cat([skip, h], dim=1)))


def dice_loss(prob, target, smooth=1.0):
    mask = (prob > 0.5).float()
    overlap = (mask * target).sum()
    return 1 - (2 * overlap + smooth) / (mask.sum() + target.sum() + smooth)


torch.manual_seed(0)
images = torch.rand(4, 1, 8, 8)
masks = (images > 0.7).float()
net = MiniUNet()
opt = torch.optim.RMSprop(net.parameters(), lr=1e-3)
for it in range(3):
    opt.zero_grad()
    loss = dice_loss(net(images), masks)
    loss.requires_grad = True
    loss.backward()
    opt.step()
    print(f"[{it}] dice loss {loss.item():.4f}")
