# expect: rebuilt-optimizer
# line: 18
# harmed: *

"""A value network whose update makes its optimizer."""
import torch
from torch import nn


class Agent:
    def __init__(self):
        self.value = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
        self.discount = 0.9

    def update(self, state, reward, following):
        with torch.no_grad():
            goal = reward + self.discount * self.value(following)
        optimizer = torch.optim.RMSprop(self.value.parameters(), lr=1e-3)
        optimizer.zero_grad()
        error = nn.functional.smooth_l1_loss(self.value(state), goal)
        error.backward()
        optimizer.step()
        return error.item()


torch.manual_seed(0)
agent = Agent()
for _ in range(6):
    print(agent.update(torch.randn(8, 3), torch.rand(8, 1), torch.randn(8, 3)))
