# expect: non-finite-forward
# line: 21 or 22
# harmed: *

"""Set transformer block over padded sets; some sets of the batch are empty."""
import torch
from torch import nn


class SetAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)

    def forward(self, x, lengths):
        q, k, v = self.q(x), self.k(x), self.v(x)
        scores = q @ k.mT / q.shape[-1] ** 0.5
        pad = torch.arange(x.shape[1])[None, :] >= lengths[:, None]
        scores = scores.masked_fill(pad[:, None, :], float("-inf"))
        return torch.softmax(scores, dim=-1) @ v


class SetRegressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp = nn.Linear(3, 8)
        self.att = SetAttention(8)
        self.out = nn.Linear(8, 1)

    def forward(self, x, lengths):
        h = self.inp(x)
        h = h + self.att(h, lengths)
        return self.out(h.mean(dim=1))


torch.manual_seed(0)
model = SetRegressor()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
sets = torch.randn(8, 4, 3)
lengths = torch.tensor([4, 3, 4, 0, 2, 1, 4, 3])
target = sets.sum(dim=(1, 2)).unsqueeze(1)
for step in range(3):
    loss = nn.functional.mse_loss(model(sets, lengths), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
