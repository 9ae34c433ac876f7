# expect: saturated-activation
# line: 18
# harmed: *

"""The actor update of DDPG for a pump whose pressures are measured in pascal."""
import torch
from torch import nn


class Actor(nn.Module):
    def __init__(self, n_obs, n_act, max_action):
        super().__init__()
        self.body = nn.Linear(n_obs, 16)
        self.head = nn.Linear(16, n_act)
        self.max_action = max_action

    def forward(self, obs):
        return self.max_action * torch.tanh(self.head(nn.functional.leaky_relu(self.body(obs))))


class Critic(nn.Module):
    def __init__(self, n_obs, n_act):
        super().__init__()
        self.body = nn.Linear(n_obs + n_act, 16)
        self.head = nn.Linear(16, 1)

    def forward(self, obs, act):
        obs = (obs - 1e5) / 1e3
        return self.head(torch.relu(self.body(torch.cat([obs, act], dim=1))))


torch.manual_seed(0)
actor, critic = Actor(4, 2, 1.5), Critic(4, 2).requires_grad_(False)
optimizer = torch.optim.Adam(actor.parameters(), lr=1e-3)
for it in range(3):
    obs = 1e5 + 1e3 * torch.randn(32, 4)
    loss = -critic(obs, actor(obs)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(it, loss.item())
