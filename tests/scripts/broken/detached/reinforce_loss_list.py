# expect: detached
# line: 40
# harmed: body.*, actor.*

"""REINFORCE on a three-armed bandit with context."""
import torch
import torch.nn as nn
from torch.distributions import Categorical


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 16)
        self.actor = nn.Linear(16, 3)

    def forward(self, state):
        return Categorical(logits=self.actor(torch.tanh(self.body(state))))


def reward_of(state, action):
    return 1.0 if action == state[:3].argmax() else 0.0


def main():
    torch.manual_seed(0)
    policy = Policy()
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    for episode in range(3):
        log_probs, rewards = [], []
        for _ in range(8):
            state = torch.randn(4)
            dist = policy(state)
            action = dist.sample()
            log_probs.append(dist.log_prob(action))
            rewards.append(reward_of(state, action))
        returns = torch.tensor(rewards) - sum(rewards) / len(rewards)
        policy_loss = [-lp * r for lp, r in zip(log_probs, returns)]
        optimizer.zero_grad()
        loss = torch.tensor(policy_loss, requires_grad=True).sum()
        loss.backward()
        optimizer.step()
        print(f"episode {episode} reward {sum(rewards)}")


main()
