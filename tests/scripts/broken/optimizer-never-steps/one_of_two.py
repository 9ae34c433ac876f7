# expect: optimizer-never-steps
# line: 14
# harmed: value.*

"""Actor and critic have an optimizer each, and only that of the actor steps."""

import torch
from torch import nn

torch.manual_seed(7)
policy = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
value = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
policy_optimizer = torch.optim.Adam(policy.parameters(), 3e-4)
value_optimizer = torch.optim.Adam(value.parameters(), 1e-3)
for _ in range(6):
    state = torch.randn(64, 4)
    actions = torch.distributions.Categorical(logits=policy(state))
    action = actions.sample()
    reward = (state[:, 0] > 0).float() * (action == 1).float()
    expected = value(state).squeeze(-1)
    advantage = reward - expected.detach()
    loss = -(actions.log_prob(action) * advantage).mean() + 0.5 * (expected - reward).pow(2).mean()
    policy_optimizer.zero_grad()
    value_optimizer.zero_grad()
    loss.backward()
    policy_optimizer.step()
