# expect: wrong-backward
# line: 12 or 21 or 24 or 28
# harmed: *
# options: --gradcheck

"""SimCLR with a hand-written, numerically careful normalisation."""
import torch
import torch.nn.functional as F
from torch import nn


class UnitNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        norm = x.norm(dim=1, keepdim=True).clamp(min=1e-8)
        unit = x / norm
        ctx.save_for_backward(unit, norm)
        return unit

    @staticmethod
    def backward(ctx, grad_output):
        unit, norm = ctx.saved_tensors
        along = (grad_output * unit).sum(dim=1, keepdim=True)
        return (grad_output + along * unit) / norm


def nt_xent(z1, z2, temperature=0.5):
    z = UnitNorm.apply(torch.cat([z1, z2]))
    n = len(z1)
    sim = z @ z.t() / temperature
    sim = sim.masked_fill(torch.eye(2 * n, dtype=torch.bool), float("-inf"))
    target = torch.cat([torch.arange(n, 2 * n), torch.arange(n)])
    return F.cross_entropy(sim, target)


torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
x = torch.randn(8, 6)
for step in range(3):
    view1, view2 = x + 0.1 * torch.randn_like(x), x + 0.1 * torch.randn_like(x)
    loss = nt_xent(encoder(view1), encoder(view2))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
