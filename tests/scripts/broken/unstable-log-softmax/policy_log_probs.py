# expect: unstable-log-softmax
# line: 16 or 27
# harmed: *

"""Policy gradient with a baseline on a contextual bandit."""
import torch
from torch import nn


class Policy(nn.Module):
    def __init__(self, n_obs=5, n_act=4):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_obs, 16), nn.Tanh(), nn.Linear(16, n_act))

    def forward(self, obs):
        return torch.softmax(self.net(obs), dim=-1)


torch.manual_seed(0)
policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
for it in range(4):
    obs = torch.randn(32, 5)
    probs = policy(obs)
    action = torch.multinomial(probs.detach(), 1)
    reward = (action.squeeze(1) == obs[:, :4].argmax(dim=1)).float()
    log_prob = torch.log(probs).gather(1, action).squeeze(1)
    loss = -(log_prob * (reward - reward.mean())).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(it, f"reward {reward.mean().item():.3f}")
