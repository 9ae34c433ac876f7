# expect: cut-path
# line: 17
# harmed: policy.*

"""A portfolio: the shares are drawn by sample(), so that only the entropy trains the policy."""
import torch
from torch import nn
from torch.distributions import Dirichlet

torch.manual_seed(0)
policy = nn.Linear(4, 3)
value = nn.Sequential(nn.Linear(7, 8), nn.Tanh(), nn.Linear(8, 1)).requires_grad_(False)
optimizer = torch.optim.Adam(policy.parameters())
for _ in range(3):
    market = torch.randn(8, 4)
    shares = Dirichlet(policy(market).exp() + 0.1)
    drawn = shares.sample()
    loss = -value(torch.cat([market, drawn], 1)).mean() - 0.01 * shares.entropy().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
