# expect: nothing

"""A constrained policy: each of the two optimizers sees the other's part of the loss as a constant."""
import torch
from torch import nn
from torch.distributions import Normal

torch.manual_seed(0)
policy, critic, weight = nn.Linear(4, 1), nn.Linear(5, 1), nn.Parameter(torch.ones(()))
p_optimizer = torch.optim.Adam([*policy.parameters(), *critic.parameters()])
w_optimizer = torch.optim.Adam([weight])
for _ in range(3):
    states, rewards = torch.randn(16, 4), torch.randn(16, 1)
    actor = Normal(policy(states), 1.0)
    actions = actor.sample()
    quality = critic(torch.cat([states, actions], 1))
    cost = policy(states).square().mean() - 0.1
    loss = (quality - rewards).square().mean() - (actor.log_prob(actions) * quality.detach()).mean()
    loss = loss + weight.detach() * cost
    p_optimizer.zero_grad()
    loss.backward()
    p_optimizer.step()

    w_optimizer.zero_grad()
    (-weight * cost.detach()).backward()
    w_optimizer.step()
