# expect: cut-path
# line: 20
# harmed: body.*, head.*

"""A policy whose entropy bonus is a number that was meant for the log."""
import torch
from torch import nn
from torch.distributions import Categorical


class Agent:
    def __init__(self):
        self.body, self.head = nn.Linear(4, 8), nn.Linear(8, 3)
        self.optimizer = torch.optim.Adam([*self.body.parameters(), *self.head.parameters()])

    def learn(self, states, advantages):
        policy = Categorical(logits=self.head(self.body(states).tanh()))
        actions = policy.sample()
        score = policy.log_prob(actions) * advantages
        entropy = policy.entropy().mean().item()
        loss = -score.mean() - 0.01 * entropy
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return entropy


torch.manual_seed(0)
agent = Agent()
for _ in range(3):
    print(f"{agent.learn(torch.randn(16, 4), torch.randn(16)):.4f}")
