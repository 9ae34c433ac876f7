# expect: nothing

"""Blocks of ConvNeXt, each on a residual stream and scaled by a vector that starts at a millionth."""
import torch
from torch import nn

WIDTH, DEPTH = 16, 9


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.depthwise = nn.Conv2d(WIDTH, WIDTH, 7, padding=3, groups=WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.expand, self.project = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.layer_scale = nn.Parameter(1e-6 * torch.ones(WIDTH))

    def forward(self, x):
        h = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        h = self.layer_scale * self.project(nn.functional.gelu(self.expand(h)))
        return x + h.permute(0, 3, 1, 2)


torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, WIDTH, 4, stride=4),
    *(Block() for _ in range(DEPTH)),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(WIDTH, 5),
)
for module in model.modules():
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
for step in range(6):
    images, labels = torch.randn(8, 3, 32, 32), torch.randint(0, 5, (8,))
    loss = nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, round(loss.item(), 3))
