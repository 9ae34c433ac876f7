# expect: replaced-parameter
# line: 22 or 24
# harmed: fc.weight, fc.bias

import torch
import torch.nn as nn


class PretrainedNet(nn.Module):
    def __init__(self, classes=100):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.fc = nn.Linear(6, classes)

    def forward(self, x):
        h = torch.relu(self.conv(x)).mean(dim=(2, 3))
        return self.fc(h)


torch.manual_seed(0)
model = PretrainedNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
num_features = model.fc.in_features
model.fc = nn.Linear(num_features, 5)

criterion = nn.CrossEntropyLoss()
x, y = torch.randn(12, 3, 6, 6), torch.randint(0, 5, (12,))
for epoch in range(4):
    model.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")
