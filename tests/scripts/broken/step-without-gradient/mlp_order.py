# expect: step-without-gradient
# line: 30 or 31
# harmed: *

import torch
import torch.nn as nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(4, 12)
        self.layer2 = nn.Linear(12, 3)

    def forward(self, x):
        return self.layer2(torch.relu(self.layer1(x)))


torch.manual_seed(0)
features = torch.randn(30, 4)
species = features[:, :3].argmax(dim=1)
model = Classifier()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)

for epoch in range(5):
    outputs = model(features)
    loss = criterion(outputs, species)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    print(f"Epoch {epoch + 1}: loss = {loss.item():.4f}")
