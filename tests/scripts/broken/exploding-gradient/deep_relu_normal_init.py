# expect: exploding-gradient
# line: 17 or 22 or 23 or 34
# harmed: *

import torch
import torch.nn as nn


class DeepNet(nn.Module):
    def __init__(self, width=32, depth=14):
        super().__init__()
        self.inp = nn.Linear(8, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.out = nn.Linear(width, 1)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p)

    def forward(self, x):
        x = torch.relu(self.inp(x))
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.out(x)


torch.manual_seed(0)
x = torch.randn(32, 8)
y = x.mean(dim=1, keepdim=True)
model = DeepNet()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(3):
    optimizer.zero_grad()
    loss = nn.functional.l1_loss(model(x), y)
    loss.backward()
    optimizer.step()
    print(f"{step}: {loss.item():.4g}")
