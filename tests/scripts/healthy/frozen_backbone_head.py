# expect: nothing

"""Linear probing: a frozen backbone, only the head is trained."""
import torch
from torch import nn


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 12, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.conv2(x)).mean(dim=(2, 3))


torch.manual_seed(0)
backbone, head = Backbone(), nn.Linear(12, 4)
for p in backbone.parameters():
    p.requires_grad = False
backbone.eval()
optimizer = torch.optim.SGD(head.parameters(), lr=0.5, momentum=0.9)
x, y = torch.randn(24, 3, 6, 6), torch.randint(0, 4, (24,))
for epoch in range(5):
    with torch.no_grad():
        features = backbone(x)
    loss = nn.functional.cross_entropy(head(features), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch}: {loss.item():.4f}")
