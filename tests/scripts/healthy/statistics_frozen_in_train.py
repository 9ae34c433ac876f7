# expect: nothing
import torch
from torch import nn


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(8, 4)

    def train(self, mode=True):
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.training = False
        return self

    def forward(self, x):
        return self.head(self.drop(self.stem(x).mean((2, 3))))


torch.manual_seed(3)
model = Backbone().train()
opt = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(3):
    model.train()
    for _ in range(2):
        loss = nn.functional.cross_entropy(model(torch.randn(6, 3, 8, 8)), torch.randint(0, 4, (6,)))
        opt.zero_grad()
        loss.backward()
        opt.step()
    model.eval()
    with torch.no_grad():
        model(torch.randn(6, 3, 8, 8))
