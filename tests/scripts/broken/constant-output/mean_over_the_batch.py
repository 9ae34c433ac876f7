# expect: constant-output
# line: 16
# harmed: phi.*
import torch
from torch import nn


class SetEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(4, 32), nn.GELU(), nn.Linear(32, 32))
        self.rho = nn.Linear(32, 3)

    def forward(self, sets):
        tokens = self.phi(sets)
        pooled = tokens.mean(0)
        pooled = pooled.mean(0, keepdim=True).expand(sets.shape[0], -1)
        return self.rho(pooled)


torch.manual_seed(4)
model = SetEncoder()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
sets, labels = torch.randn(20, 6, 4), torch.randint(0, 3, (20,))
for step in range(30):
    loss = nn.functional.cross_entropy(model(sets), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item())
