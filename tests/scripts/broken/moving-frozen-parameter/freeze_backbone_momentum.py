# expect: moving-frozen-parameter
# line: 22 or 35
# harmed: backbone.*

"""Warm up everything for one step, then train the head alone."""
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU())
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.backbone(x))


def freeze(module):
    for p in module.parameters():
        p.requires_grad = False


torch.manual_seed(0)
x, y = torch.randn(24, 8), torch.randint(0, 3, (24,))
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for step in range(5):
    if step == 1:
        freeze(model.backbone)
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    print(step, loss.item(), model.backbone[0].weight.norm().item())
