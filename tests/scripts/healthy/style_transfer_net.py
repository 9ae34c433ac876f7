# expect: nothing

"""A transformation net for style transfer: residual blocks with instance norm, losses in a frozen net's features."""
import torch
from torch import nn
from torch.nn import functional as F


class Conv(nn.Sequential):
    def __init__(self, inside, outside, size, stride=1):
        super().__init__(nn.ReflectionPad2d(size // 2), nn.Conv2d(inside, outside, size, stride))


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1, self.in1 = Conv(width, width, 3), nn.InstanceNorm2d(width, affine=True)
        self.conv2, self.in2 = Conv(width, width, 3), nn.InstanceNorm2d(width, affine=True)

    def forward(self, x):
        return x + self.in2(self.conv2(F.relu(self.in1(self.conv1(x)))))


def gram(features):
    b, c, h, w = features.shape
    flat = features.view(b, c, h * w)
    return flat.bmm(flat.transpose(1, 2)) / (c * h * w)


torch.manual_seed(0)
net = nn.Sequential(
    Conv(3, 8, 5), nn.InstanceNorm2d(8, affine=True), nn.ReLU(),
    Conv(8, 12, 3, 2), nn.InstanceNorm2d(12, affine=True), nn.ReLU(),
    Residual(12), Residual(12), Residual(12),
    nn.Upsample(scale_factor=2), Conv(12, 8, 3), nn.InstanceNorm2d(8, affine=True), nn.ReLU(), Conv(8, 3, 5),
)
judge = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()).eval()
for parameter in judge.parameters():
    parameter.requires_grad_(False)
style = gram(judge(torch.rand(1, 3, 16, 16)))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(3):
    x = torch.rand(2, 3, 16, 16)
    y = net(x)
    content = F.mse_loss(judge(y), judge(x))
    total = content + 1e3 * F.mse_loss(gram(judge(y)), style.expand(2, -1, -1))
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    print(step, total.item())
