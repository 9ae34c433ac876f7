# expect: nothing

"""Losses with constants that belong there: a value shown instead of a loss, a target, a baseline, a sampled action."""
import torch
from torch import nn
from torch.distributions import Normal

torch.manual_seed(0)
policy, value = nn.Linear(4, 1), nn.Linear(4, 1)
spread = nn.Parameter(torch.zeros(1))
p_optimizer = torch.optim.Adam([*policy.parameters(), spread])
v_optimizer = torch.optim.Adam(value.parameters())
average = 0.0
for _ in range(3):
    states, returns = torch.randn(32, 4), torch.randn(32, 1)
    actor = Normal(policy(states), spread.exp())
    actions = actor.sample()
    advantage = returns - value(states).detach() - average
    p_loss = -(actor.log_prob(actions) * advantage).mean()
    v_loss = nn.functional.mse_loss(value(states), returns)
    shown = p_loss + (returns.mean() - p_loss).detach()
    loss = shown + v_loss
    average = 0.9 * average + 0.1 * loss.item()
    p_optimizer.zero_grad()
    v_optimizer.zero_grad()
    loss.backward()
    p_optimizer.step()
    v_optimizer.step()
