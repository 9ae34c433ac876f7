# expect: accidental-broadcast
# line: 33
# harmed: *

"""Double DQN on a replay buffer of random transitions."""
import copy
import warnings

import torch
import torch.nn.functional as F
from torch import nn

warnings.filterwarnings("ignore")


class QNetwork(nn.Module):
    def __init__(self, obs=5, actions=4):
        super().__init__()
        self.fc1 = nn.Linear(obs, 16)
        self.fc2 = nn.Linear(16, actions)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


def learn(online, target, optimizer, batch, gamma=0.95):
    states, actions, rewards, next_states, done = batch
    q = online(states).gather(1, actions.unsqueeze(1))
    with torch.no_grad():
        best = online(next_states).argmax(dim=1, keepdim=True)
        next_q = target(next_states).gather(1, best).squeeze(1)
        expected = rewards + gamma * next_q * (1 - done)
    loss = F.smooth_l1_loss(q, expected)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def replay(n=24):
    return torch.randn(n, 5), torch.randint(0, 4, (n,)), torch.randn(n), torch.randn(n, 5), torch.zeros(n)


torch.manual_seed(0)
online = QNetwork()
target = copy.deepcopy(online).requires_grad_(False)
optimizer = torch.optim.Adam(online.parameters(), lr=1e-3)
for step in range(4):
    print(step, learn(online, target, optimizer, replay()))
