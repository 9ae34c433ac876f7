# expect: nothing

"""Actions are drawn without a gradient for the critic and scored by their log-probability for the policy."""
import torch
from torch import nn
from torch.distributions import Normal


def main():
    torch.manual_seed(1)
    policy = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
    critic = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    by_policy = torch.optim.Adam(policy.parameters(), lr=1e-3)
    by_critic = torch.optim.Adam(critic.parameters(), lr=1e-3)
    for step in range(4):
        state = torch.randn(32, 3)
        chosen = Normal(policy(state), 0.3)
        action = chosen.sample()
        reward = -(action - state[:, :1]).square()

        value = critic(torch.cat([state, action], dim=1))
        error = nn.functional.mse_loss(value, reward)
        by_critic.zero_grad()
        error.backward()
        by_critic.step()

        if step % 2:
            by_policy.zero_grad()
            loss = -(chosen.log_prob(action) * (reward - value.detach())).mean()
            loss.backward()
            by_policy.step()
        print(step, f"{error.item():.3f}")


if __name__ == "__main__":
    main()
