# expect: double-sigmoid
# line: 18 or 29
# harmed: *

import torch
import torch.nn as nn


class SpamFilter(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.fc1 = nn.Linear(words, 12)
        self.fc2 = nn.Linear(12, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        return self.sigmoid(self.fc2(x))


torch.manual_seed(0)
counts = torch.poisson(torch.full((40, 10), 0.8))
spam = (counts[:, :2].sum(dim=1, keepdim=True) > 2).float()
model = SpamFilter(10)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(5):
    optimizer.zero_grad()
    loss = criterion(model(counts), spam)
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")
