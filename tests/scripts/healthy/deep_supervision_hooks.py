# expect: nothing

"""User hooks on gradients: scaling a branch, collecting norms, clipping inside the backward."""
import torch
import torch.nn as nn


class Branchy(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(6, 16)
        self.slow = nn.Linear(16, 16)
        self.early, self.late = nn.Linear(16, 2), nn.Linear(16, 2)

    def forward(self, x):
        h = torch.tanh(self.trunk(x))
        s = torch.tanh(self.slow(h))
        if s.requires_grad:
            s.register_hook(lambda grad: 0.5 * grad)
        return self.early(h), self.late(s)


torch.manual_seed(0)
model = Branchy()
norms = {}
for name, p in model.named_parameters():
    p.register_hook(lambda grad, name=name: norms.__setitem__(name, grad.norm().item()))
    p.register_hook(lambda grad: grad.clamp(-1.0, 1.0))
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
x = torch.randn(32, 6)
y = (x[:, 0] * x[:, 1] > 0).long()
for step in range(5):
    early, late = model(x)
    loss = 0.3 * nn.functional.cross_entropy(early, y) + nn.functional.cross_entropy(late, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item(), max(norms.values()))
