# expect: stale-gradient
# line: 29
# harmed: encoder.*

import itertools

import torch
from torch import nn

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(10, 16), nn.ReLU())
actor, critic = nn.Linear(16, 3), nn.Linear(16, 1)
actor_optimizer = torch.optim.Adam(itertools.chain(encoder.parameters(), actor.parameters()), lr=3e-4)
critic_optimizer = torch.optim.Adam(itertools.chain(encoder.parameters(), critic.parameters()), lr=1e-3)
for update in range(4):
    states, returns = torch.randn(32, 10), torch.randn(32)
    features = encoder(states)
    policy = torch.distributions.Categorical(logits=actor(features))
    actions = policy.sample()
    values = critic(features).squeeze(1)
    advantages = returns - values.detach()
    policy_loss = -(policy.log_prob(actions) * advantages).mean()
    value_loss = nn.functional.mse_loss(values, returns)
    actor_optimizer.zero_grad()
    critic_optimizer.zero_grad()
    (policy_loss + 0.5 * value_loss).backward()
    nn.utils.clip_grad_norm_(encoder.parameters(), 0.5)
    actor_optimizer.step()
    critic_optimizer.step()
    print(update, policy_loss.item(), value_loss.item())
