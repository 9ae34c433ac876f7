# expect: nothing

"""Deep Q-learning with a target network and a soft update."""
import copy

import torch
import torch.nn.functional as F
from torch import nn


class QNet(nn.Module):
    def __init__(self, n_obs=4, n_act=3):
        super().__init__()
        self.fc1 = nn.Linear(n_obs, 24)
        self.fc2 = nn.Linear(24, n_act)

    def forward(self, obs):
        return self.fc2(F.relu(self.fc1(obs)))


def soft_update(target, source, tau=0.05):
    for t, s in zip(target.parameters(), source.parameters()):
        t.data.copy_(tau * s.data + (1 - tau) * t.data)


torch.manual_seed(0)
policy = QNet()
target = copy.deepcopy(policy)
optimizer = torch.optim.AdamW(policy.parameters(), lr=5e-3)
obs = torch.randn(64, 4)
action = torch.randint(0, 3, (64, 1))
reward = obs.gather(1, action)
next_obs = obs.roll(1, dims=0)
for step in range(8):
    q = policy(obs).gather(1, action)
    next_q = target(next_obs).max(dim=1, keepdim=True).values
    expected = reward + 0.9 * next_q.detach()
    loss = F.smooth_l1_loss(q, expected)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(policy.parameters(), 100)
    optimizer.step()
    soft_update(target, policy)
    print(step, loss.item())
