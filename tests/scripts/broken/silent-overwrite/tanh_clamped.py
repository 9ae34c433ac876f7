# expect: silent-overwrite
# line: 19
# harmed: fc1.weight, fc1.bias

import torch
import torch.nn as nn


class BoundedNet(nn.Module):
    """Keeps the hidden code inside [-0.4, 0.4] for the quantiser downstream."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 12)
        self.fc2 = nn.Linear(12, 1)

    def forward(self, x):
        code = torch.tanh(self.fc1(x))
        code.data.clamp_(-0.4, 0.4)
        return self.fc2(code)


torch.manual_seed(0)
x = torch.randn(40, 6)
y = torch.sin(x.sum(dim=1, keepdim=True))
model = BoundedNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(5):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch}: {loss.item():.4f}")
