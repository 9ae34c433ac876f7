# expect: optimizer-without-gradient
# line: 40 or 46
# harmed: target_net.*

"""Deep Q-learning on random transitions of a small grid."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F


class QNet(nn.Module):
    def __init__(self, n_obs=4, n_act=3):
        super().__init__()
        self.fc1 = nn.Linear(n_obs, 16)
        self.fc2 = nn.Linear(16, n_act)

    def forward(self, obs):
        return self.fc2(F.relu(self.fc1(obs)))


def td_loss(policy_net, target_net, batch, gamma=0.9):
    obs, action, reward, next_obs = batch
    q = policy_net(obs).gather(1, action)
    with torch.no_grad():
        target = reward + gamma * target_net(next_obs).max(dim=1, keepdim=True).values
    return F.smooth_l1_loss(q, target)


def sample(n=32):
    obs = torch.randn(n, 4)
    action = torch.randint(0, 3, (n, 1))
    return obs, action, obs.gather(1, action), obs + 0.1 * torch.randn(n, 4)


torch.manual_seed(0)
policy_net = QNet()
target_net = copy.deepcopy(policy_net)
optimizer = torch.optim.Adam(target_net.parameters(), lr=1e-3)
for step in range(4):
    loss = td_loss(policy_net, target_net, sample())
    optimizer.zero_grad()
    policy_net.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
