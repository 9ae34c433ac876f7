"""An actor and a critic on one trunk, with a loss per step of an episode of balancing a pole."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(4, 64)
        self.action_head, self.value_head = nn.Linear(64, 2), nn.Linear(64, 1)
        self.saved, self.rewards = [], []

    def forward(self, x):
        x = F.relu(self.affine1(x))
        return F.softmax(self.action_head(x), dim=-1), self.value_head(x)


def play(state, action):
    """A pole that falls faster the further it leans."""
    position, speed, angle, turn = state
    push = 1.0 if action == 1 else -1.0
    moved = [position + 0.1 * speed, speed + 0.2 * push, angle + 0.1 * turn, turn + 0.5 * angle - 0.15 * push]
    return torch.stack(moved), 1.0, bool(angle.abs() > 0.6)


torch.manual_seed(0)
model = Policy()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
for episode in range(3):
    state = torch.randn(4) * 0.05
    for _ in range(20):
        probabilities, value = model(state)
        distribution = Categorical(probabilities)
        action = distribution.sample()
        model.saved.append((distribution.log_prob(action), value))
        state, reward, done = play(state, action.item())
        model.rewards.append(reward)
        if done:
            break
    returns, total = [], 0.0
    for reward in reversed(model.rewards):
        total = reward + 0.99 * total
        returns.insert(0, total)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + 1e-6)
    policy_losses, value_losses = [], []
    for (log_prob, value), R in zip(model.saved, returns, strict=True):
        advantage = R - value.item()
        policy_losses.append(-log_prob * advantage)
        value_losses.append(F.smooth_l1_loss(value, torch.tensor([R])))
    optimizer.zero_grad()
    loss = torch.stack(policy_losses).sum() + torch.stack(value_losses).sum()
    loss.backward()
    optimizer.step()
    print(f"{episode} {len(model.rewards)} {loss.item():.4f}")
    model.saved.clear()
    model.rewards.clear()
