# expect: growing-graph
# line: 19 or 34
# harmed: *

"""One-class anomaly detection: pull the features towards their moving centre."""
import torch
from torch import nn


class DeepSVDD(nn.Module):
    def __init__(self, n_in, dim, momentum=0.9):
        super().__init__()
        self.fc = nn.Linear(n_in, dim)
        self.momentum = momentum
        self.center = torch.zeros(dim)

    def forward(self, x):
        z = torch.tanh(self.fc(x))
        self.center = self.momentum * self.center + (1 - self.momentum) * z.mean(dim=0)
        return z

    def loss(self, z):
        spread = 0.1 * torch.relu(1 - z.std(dim=0)).mean()
        return (z - self.center).pow(2).sum(dim=1).mean() + spread


torch.manual_seed(0)
model = DeepSVDD(6, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(5):
    batch = torch.randn(16, 6)
    loss = model.loss(model(batch))
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    optimizer.step()
    print(step, loss.item())
