# expect: detached
# line: 35
# harmed: policy.*

"""A policy that is trained through a critic, on a point that is to be moved to the origin."""
import torch
from torch import nn
from torch.distributions import Independent, Normal


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
        self.log_scale = nn.Parameter(torch.zeros(2))

    def forward(self, state):
        return Independent(Normal(self.mean(state), self.log_scale.exp()), 1)


def main():
    torch.manual_seed(2)
    policy = Policy()
    critic = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
    by_policy = torch.optim.Adam(policy.parameters(), lr=1e-3)
    by_critic = torch.optim.Adam(critic.parameters(), lr=1e-3)
    for step in range(3):
        state, action, cost = torch.randn(24, 4), torch.randn(24, 2), torch.rand(24, 1)
        error = nn.functional.mse_loss(critic(torch.cat([state, action], dim=1)), cost)
        by_critic.zero_grad()
        error.backward()
        by_critic.step()

        by_policy.zero_grad()
        move = policy(state).sample()
        value = critic(torch.cat([state, move], dim=1)).mean()
        value.backward()
        by_policy.step()
        print(step, f"{error.item():.3f} {value.item():.3f}")


if __name__ == "__main__":
    main()
