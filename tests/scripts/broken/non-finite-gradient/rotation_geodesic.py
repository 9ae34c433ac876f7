# expect: non-finite-gradient
# line: 20
# harmed: *

"""Regress 3D rotations, compared by the angle between them."""
import torch
from torch import nn


def rotation_from_6d(v):
    a, b = v[..., :3], v[..., 3:]
    x = nn.functional.normalize(a, dim=-1)
    y = nn.functional.normalize(b - (x * b).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.cross(x, y, dim=-1)], dim=-2)


def geodesic(R, target):
    trace = (R * target).sum(dim=(-2, -1))
    cos = ((trace - 1) / 2).clamp(-1.0, 1.0)
    return torch.acos(cos).mean()


class PoseNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.delta = nn.Linear(4, 6)
        nn.init.zeros_(self.delta.weight)  # start from the identity pose
        nn.init.zeros_(self.delta.bias)

    def forward(self, x):
        identity = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
        return rotation_from_6d(identity + self.delta(x))


torch.manual_seed(0)
x = torch.randn(8, 4)
target = rotation_from_6d(torch.randn(8, 6))
target[0] = torch.eye(3)  # the reference view
model = PoseNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(3):
    loss = geodesic(model(x), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
