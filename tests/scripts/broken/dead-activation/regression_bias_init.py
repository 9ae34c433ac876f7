# expect: dead-activation
# line: 18 or 22
# harmed: *

import torch
import torch.nn as nn


class HousePrice(nn.Module):
    def __init__(self, n_in=6):
        super().__init__()
        self.fc1 = nn.Linear(n_in, 32)
        self.fc2 = nn.Linear(32, 32)
        self.out = nn.Linear(32, 1)
        for layer in (self.fc1, self.fc2):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.constant_(layer.bias, 0.01)
        nn.init.constant_(self.fc2.bias, -10.0)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.out(x)


torch.manual_seed(0)
x = torch.randn(64, 6)
y = x @ torch.randn(6, 1) + 3
model = HousePrice()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(4):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch}: {loss.item():.4f}")
