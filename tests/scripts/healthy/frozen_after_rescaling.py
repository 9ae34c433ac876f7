# expect: nothing

"""A backbone whose weights are rescaled by way of .data and then frozen; the optimizer is given all parameters."""
import torch
from torch import nn


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(10, 24), nn.Linear(24, 24)
        for layer in (self.first, self.second):
            weight = layer.weight.data
            layer.weight.data = weight / weight.norm(dim=1, keepdim=True)

    def forward(self, x):
        return torch.relu(self.second(torch.relu(self.first(x))))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()
        self.head = nn.Linear(24, 3)

    def forward(self, x):
        return self.head(self.backbone(x))


torch.manual_seed(0)
model = Classifier()
for parameter in model.backbone.parameters():
    parameter.requires_grad = False
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
x, y = torch.randn(60, 10), torch.randint(0, 3, (60,))
for epoch in range(5):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
print("loss", loss.item())
