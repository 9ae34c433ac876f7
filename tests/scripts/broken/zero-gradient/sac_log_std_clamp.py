# expect: zero-gradient
# line: 20
# harmed: log_std

"""A Gaussian policy trained by a likelihood-ratio loss."""
import torch
from torch import nn
from torch.distributions import Normal

LOG_STD_MIN, LOG_STD_MAX = -20, -2


class GaussianPolicy(nn.Module):
    def __init__(self, n_obs, n_act):
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(n_obs, 16), nn.Tanh(), nn.Linear(16, n_act))
        self.log_std = nn.Parameter(torch.zeros(n_act))

    def forward(self, obs):
        log_std = self.log_std.clamp(LOG_STD_MIN, LOG_STD_MAX)
        return Normal(self.mean(obs), log_std.exp())


torch.manual_seed(0)
policy = GaussianPolicy(3, 2)
optimizer = torch.optim.Adam(policy.parameters(), lr=3e-3)
obs = torch.randn(32, 3)
for it in range(4):
    dist = policy(obs)
    action = dist.sample()
    reward = -(action - obs[:, :2]).pow(2).sum(dim=1)
    advantage = (reward - reward.mean()) / (reward.std() + 1e-6)
    loss = -(dist.log_prob(action).sum(dim=1) * advantage).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(it, f"{reward.mean().item():.4f}")
