# expect: nothing

import torch
from torch import nn


class Lookahead(torch.optim.Optimizer):
    """Wraps an optimizer, whose parameter groups it shares."""

    def __init__(self, inner, alpha=0.5, period=2):
        self.inner, self.alpha, self.period, self.count = inner, alpha, period, 0
        super().__init__(inner.param_groups, {})
        self.param_groups = inner.param_groups
        self.slow = [[p.detach().clone() for p in group["params"]] for group in self.param_groups]

    def step(self, closure=None):
        self.inner.step()
        self.count += 1
        if self.count % self.period == 0:
            with torch.no_grad():
                for group, slow in zip(self.param_groups, self.slow):
                    for parameter, kept in zip(group["params"], slow):
                        kept += self.alpha * (parameter - kept)
                        parameter.copy_(kept)


torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(8, 6), nn.Tanh())
decoder, critic = nn.Linear(6, 8), nn.Linear(6, 1)
reconstruct = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
regularise = torch.optim.Adam(encoder.parameters(), lr=1e-3)
critical = Lookahead(torch.optim.SGD(critic.parameters(), lr=0.05))
for step in range(4):
    x = torch.randn(16, 8)
    reconstruct.zero_grad()
    nn.functional.mse_loss(decoder(encoder(x)), x).backward()
    reconstruct.step()
    critical.zero_grad()
    real, fake = critic(torch.randn(16, 6)), critic(encoder(x).detach())
    (nn.functional.softplus(-real) + nn.functional.softplus(fake)).mean().backward()
    critical.step()
    regularise.zero_grad()
    nn.functional.softplus(-critic(encoder(x))).mean().backward()
    regularise.step()
