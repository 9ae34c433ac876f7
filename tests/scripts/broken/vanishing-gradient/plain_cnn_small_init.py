# expect: vanishing-gradient
# line: 19 or 25 or 36
# harmed: *

import torch
import torch.nn as nn


class PlainNet(nn.Module):
    """Fourteen convolutions in a row, as in the ablation without shortcuts."""

    def __init__(self, channels=6, depth=14):
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth))
        self.fc = nn.Linear(channels, 3)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.normal_(m.weight, std=0.02)
                nn.init.zeros_(m.bias)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        for conv in self.body:
            x = nn.functional.leaky_relu(conv(x), 0.1)
        return self.fc(x.mean(dim=(2, 3)))


torch.manual_seed(0)
x, y = torch.randn(8, 1, 8, 8), torch.randint(0, 3, (8,))
model = PlainNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
