# expect: nothing

"""Advantage actor-critic: the advantage is a constant for the actor."""
import torch
from torch import nn
from torch.distributions import Categorical


class ActorCritic(nn.Module):
    def __init__(self, n_obs=4, n_act=3):
        super().__init__()
        self.shared = nn.Linear(n_obs, 24)
        self.policy = nn.Linear(24, n_act)
        self.value = nn.Linear(24, 1)

    def forward(self, obs):
        h = torch.tanh(self.shared(obs))
        return Categorical(logits=self.policy(h)), self.value(h).squeeze(-1)


def rollout(model, n=48):
    obs = torch.randn(n, 4)
    dist, value = model(obs)
    action = dist.sample()
    reward = (action == obs[:, :3].argmax(dim=1)).float()
    return dist, value, action, reward


torch.manual_seed(0)
model = ActorCritic()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for update in range(5):
    dist, value, action, reward = rollout(model)
    advantage = reward - value
    actor_loss = -(dist.log_prob(action) * advantage.detach()).mean()
    critic_loss = advantage.pow(2).mean()
    loss = actor_loss + 0.5 * critic_loss - 0.01 * dist.entropy().mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    print(update, f"loss {loss.item():.4f} reward {reward.mean().item():.3f}")
