# expect: nothing

"""Soft actor-critic: two critics, a tanh-squashed actor and a learnt temperature."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Normal


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 24)
        self.mean, self.log_std = nn.Linear(24, 1), nn.Linear(24, 1)

    def forward(self, obs):
        h = F.relu(self.fc(obs))
        dist = Normal(self.mean(h), self.log_std(h).clamp(-5, 2).exp())
        u = dist.rsample()
        log_prob = dist.log_prob(u) - 2 * (0.6931 - u - F.softplus(-2 * u))
        return torch.tanh(u), log_prob


def critic():
    return nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 1))


torch.manual_seed(0)
actor, q1, q2 = Actor(), critic(), critic()
q1_target, q2_target = copy.deepcopy(q1), copy.deepcopy(q2)
log_alpha = torch.zeros(1, requires_grad=True)
actor_opt = torch.optim.Adam(actor.parameters(), lr=3e-3)
q_opt = torch.optim.Adam([*q1.parameters(), *q2.parameters()], lr=3e-3)
alpha_opt = torch.optim.Adam([log_alpha], lr=3e-3)
for step in range(4):
    obs, act = torch.randn(32, 3), torch.rand(32, 1) * 2 - 1
    reward, next_obs = -(act - obs[:, :1]).pow(2), torch.randn(32, 3)
    alpha = log_alpha.exp().detach()
    with torch.no_grad():
        next_act, next_logp = actor(next_obs)
        pair = torch.cat([next_obs, next_act], dim=1)
        target = reward + 0.9 * (torch.min(q1_target(pair), q2_target(pair)) - alpha * next_logp)
    pair = torch.cat([obs, act], dim=1)
    q_loss = F.mse_loss(q1(pair), target) + F.mse_loss(q2(pair), target)
    q_opt.zero_grad()
    q_loss.backward()
    q_opt.step()

    new_act, logp = actor(obs)
    pair = torch.cat([obs, new_act], dim=1)
    actor_loss = (alpha * logp - torch.min(q1(pair), q2(pair))).mean()
    actor_opt.zero_grad()
    actor_loss.backward()
    actor_opt.step()

    alpha_loss = -(log_alpha * (logp.detach() - 1.0)).mean()
    alpha_opt.zero_grad()
    alpha_loss.backward()
    alpha_opt.step()
    with torch.no_grad():
        for t, s in zip([*q1_target.parameters(), *q2_target.parameters()], q_opt.param_groups[0]["params"]):
            t.lerp_(s, 0.005)
    print(step, q_loss.item(), actor_loss.item(), log_alpha.exp().item())
