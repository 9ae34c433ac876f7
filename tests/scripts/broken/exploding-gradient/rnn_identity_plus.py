# expect: exploding-gradient
# line: 18 or 23 or 42
# harmed: *

"""The adding problem with an identity-initialised recurrent network (IRNN)."""
import torch
from torch import nn


class IRNN(nn.Module):
    def __init__(self, n_in, hidden):
        super().__init__()
        self.x2h = nn.Linear(n_in, hidden)
        self.h2h = nn.Linear(hidden, hidden, bias=False)
        self.out = nn.Linear(hidden, 1)
        nn.init.eye_(self.h2h.weight)
        with torch.no_grad():
            self.h2h.weight += 0.1 * torch.rand(hidden, hidden)

    def forward(self, xs):
        h = torch.zeros(xs.shape[1], self.out.in_features)
        for x in xs:
            h = torch.relu(self.x2h(x) + self.h2h(h))
        return self.out(h)


def adding_problem(length, batch):
    values = torch.rand(length, batch)
    marks = torch.zeros(length, batch)
    for b in range(batch):
        marks[torch.randperm(length)[:2], b] = 1.0
    return torch.stack([values, marks], dim=-1), (values * marks).sum(0).unsqueeze(1)


torch.manual_seed(0)
xs, y = adding_problem(40, 16)
model = IRNN(2, 16)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
for step in range(3):
    loss = nn.functional.mse_loss(model(xs), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, f"{loss.item():.3e}")
