# expect: nothing

"""Tasks take turns: in each step only one head is under the loss."""
import torch
from torch import nn


class MultiTask(nn.Module):
    def __init__(self, tasks=("sum", "max", "spread")):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 12))
        self.heads = nn.ModuleDict({name: nn.Linear(12, 1) for name in tasks})

    def forward(self, x, task):
        return self.heads[task](torch.relu(self.trunk(x)))


TARGETS = {
    "sum": lambda x: x.sum(dim=1, keepdim=True),
    "max": lambda x: x.max(dim=1, keepdim=True).values,
    "spread": lambda x: x.std(dim=1, keepdim=True),
}

torch.manual_seed(0)
model = MultiTask()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
x = torch.randn(40, 6)
for step in range(9):
    task = list(TARGETS)[step % 3]
    loss = nn.functional.mse_loss(model(x, task), TARGETS[task](x))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step} {task}: {loss.item():.4f}")
