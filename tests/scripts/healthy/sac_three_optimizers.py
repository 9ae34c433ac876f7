# expect: nothing

"""Soft actor-critic with an ensemble of critics, a learnt temperature, and three optimizers in a loop."""
import copy

import torch
from torch import nn


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, obs):
        mean, log_std = self.net(obs).chunk(2, -1)
        log_std = -5 + 3.5 * (1 + torch.tanh(log_std))
        policy = torch.distributions.Normal(mean, log_std.exp())
        u = policy.rsample()
        action = torch.tanh(u)
        return action, (policy.log_prob(u) - torch.log(1 - action.pow(2) + 1e-6)).sum(-1, keepdim=True)


torch.manual_seed(0)
actor = Actor()
critics = nn.ModuleList(nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1)) for _ in range(2))
targets = copy.deepcopy(critics).requires_grad_(False)
log_alpha = torch.zeros((), requires_grad=True)
optimizers = {
    "actor": torch.optim.Adam(actor.parameters(), lr=1e-3),
    "critic": torch.optim.Adam(critics.parameters(), lr=1e-3),
    "alpha": torch.optim.Adam([log_alpha], lr=1e-3),
}


def update(name, loss):
    optimizers[name].zero_grad(set_to_none=True)
    loss.backward()
    optimizers[name].step()
    return loss.item()


for step in range(3):
    obs, action, after = torch.randn(32, 3), torch.rand(32, 2) * 2 - 1, torch.randn(32, 3)
    reward = -(action - obs[:, :2]).pow(2).sum(-1, keepdim=True)
    with torch.no_grad():
        future, logp = actor(after)
        q = torch.cat([net(torch.cat([after, future], -1)) for net in targets], -1).amin(-1, keepdim=True)
        wanted = reward + 0.9 * (q - log_alpha.exp() * logp)
    pair = torch.cat([obs, action], -1)
    of_critic = update("critic", sum((net(pair) - wanted).pow(2).mean() for net in critics))
    new, logp = actor(obs)
    q = torch.cat([net(torch.cat([obs, new], -1)) for net in critics], -1).amin(-1, keepdim=True)
    of_actor = update("actor", (log_alpha.exp().detach() * logp - q).mean())
    of_alpha = update("alpha", -(log_alpha.exp() * (logp + 2.0).detach()).mean())
    for p, q in zip(targets.parameters(), critics.parameters()):
        p.data.mul_(0.99).add_(q.data, alpha=0.01)
    print(step, of_critic, of_actor, of_alpha)
