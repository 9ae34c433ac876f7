# expect: nothing

"""REINFORCE with discounted returns on a small random walk."""
import torch
from torch import nn
from torch.distributions import Categorical


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(2, 24)
        self.dropout = nn.Dropout(p=0.2)
        self.affine2 = nn.Linear(24, 2)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x):
        return Categorical(logits=self.affine2(torch.relu(self.dropout(self.affine1(x)))))


def select_action(policy, state):
    dist = policy(state)
    action = dist.sample()
    policy.saved_log_probs.append(dist.log_prob(action))
    return action.item()


def finish_episode(policy, optimizer, gamma=0.95):
    R, returns = 0.0, []
    for r in reversed(policy.rewards):
        R = r + gamma * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + 1e-6)
    loss = torch.stack([-lp * ret for lp, ret in zip(policy.saved_log_probs, returns)]).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    policy.saved_log_probs.clear()
    policy.rewards.clear()
    return loss.item()


torch.manual_seed(543)
policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
for episode in range(4):
    state = torch.tensor([0.0, 0.1])
    for _ in range(12):
        push = select_action(policy, state) * 2 - 1
        speed = state[1] + 0.1 * push + 0.02 * torch.randn(())
        state = torch.stack([state[0] + 0.1 * speed, speed])
        policy.rewards.append(1.0 - abs(state[0].item()))
    total = sum(policy.rewards)
    print(f"episode {episode} reward {total:.2f} loss {finish_episode(policy, optimizer):.3f}")
