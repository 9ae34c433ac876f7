# expect: detached
# line: 23
# harmed: features.0.weight, features.0.bias, features.3.weight, features.3.bias

import torch
import torch.nn as nn


class SmallCNN(nn.Module):
    def __init__(self, num_classes=4):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(8, num_classes)

    def forward(self, x):
        h = self.features(x)
        pooled = h.data.mean(dim=(2, 3))
        return self.classifier(pooled)


torch.manual_seed(0)
model = SmallCNN()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()
inputs = torch.randn(8, 3, 8, 8)
labels = torch.randint(0, 4, (8,))

for epoch in range(4):
    optimizer.zero_grad()
    loss = criterion(model(inputs), labels)
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")
