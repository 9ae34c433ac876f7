# expect: clip-order
# line: 31
# harmed: *

"""An actor-critic update with several epochs on the same rollout."""
import torch
from torch import nn
from torch.distributions import Categorical


class ActorCritic(nn.Module):
    def __init__(self, n_obs=4, n_act=3):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(n_obs, 16), nn.Tanh(), nn.Linear(16, n_act))
        self.critic = nn.Sequential(nn.Linear(n_obs, 16), nn.Tanh(), nn.Linear(16, 1))

    def evaluate(self, obs, actions):
        dist = Categorical(logits=self.actor(obs))
        return dist.log_prob(actions), self.critic(obs).squeeze(-1), dist.entropy()


def update(model, optimizer, obs, actions, old_log_probs, returns, clip=0.2, max_grad_norm=0.5):
    log_probs, values, entropy = model.evaluate(obs, actions)
    advantage = (returns - values).detach()
    ratio = (log_probs - old_log_probs).exp()
    surrogate = torch.min(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    loss = -surrogate.mean() + 0.5 * (returns - values).pow(2).mean() - 0.01 * entropy.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    return loss.item()


torch.manual_seed(0)
model = ActorCritic()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)
obs, actions = torch.randn(32, 4), torch.randint(0, 3, (32,))
returns = obs[:, 0] * (actions - 1)
with torch.no_grad():
    old_log_probs, _, _ = model.evaluate(obs, actions)
for epoch in range(4):
    print(epoch, update(model, optimizer, obs, actions, old_log_probs, returns))
