# expect: unreachable-parameter
# line: 16 or 25 or 26 or 39
# harmed: depth_head.*

"""Joint semantic and depth prediction from shared convolutional features."""
import torch
from torch import nn
from torch.nn import functional as F


class MultiTaskNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.Conv2d(3, 8, 3, padding=1)
        self.label_head = nn.Conv2d(8, 4, 1)
        self.depth_head = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        h = F.relu(self.shared(x))
        return self.label_head(h), self.depth_head(h).squeeze(1)


def compute_loss(labels_pred, depth_pred, labels, depth, depth_weight=0.5):
    label_loss = F.cross_entropy(labels_pred, labels)
    depth_loss = F.l1_loss(depth_pred, depth)
    total = label_loss + depth_weight * label_loss
    return total, {"label": label_loss.item(), "depth": depth_loss.item()}


torch.manual_seed(9)
net = MultiTaskNet()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
x = torch.randn(4, 3, 6, 6)
labels = torch.randint(0, 4, (4, 6, 6))
depth = torch.rand(4, 6, 6)
for it in range(3):
    optimizer.zero_grad()
    loss, logs = compute_loss(*net(x), labels, depth)
    loss.backward()
    optimizer.step()
    print(it, logs)
