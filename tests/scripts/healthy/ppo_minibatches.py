# expect: nothing

"""PPO with a shared trunk, generalised advantages, several epochs of minibatches, and clipped values."""
import torch
from torch import nn
from torch.distributions import Categorical


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 32), nn.Tanh())
        self.pi, self.v = nn.Linear(32, 2), nn.Linear(32, 1)

    def forward(self, obs):
        h = self.trunk(obs)
        return Categorical(logits=self.pi(h)), self.v(h).squeeze(-1)


def rollout(net, steps=32):
    obs, rows = torch.randn(4), []
    for _ in range(steps):
        with torch.no_grad():
            policy, value = net(obs)
            action = policy.sample()
        reward = 1.0 if (obs[0] > 0) == bool(action) else 0.0
        rows.append((obs, action, policy.log_prob(action), value, reward))
        obs = 0.9 * obs + 0.3 * torch.randn(4)
    obs, action, logp, value, reward = zip(*rows)
    return torch.stack(obs), torch.stack(action), torch.stack(logp), torch.stack(value), torch.tensor(reward)


def advantages(reward, value, gamma=0.9, lam=0.95):
    out, last = torch.zeros_like(reward), 0.0
    for t in reversed(range(len(reward))):
        after = value[t + 1] if t + 1 < len(reward) else 0.0
        last = reward[t] + gamma * after - value[t] + gamma * lam * last
        out[t] = last
    return out


torch.manual_seed(0)
net = ActorCritic()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for update in range(2):
    obs, action, old_logp, old_value, reward = rollout(net)
    advantage = advantages(reward, old_value)
    returns = advantage + old_value
    for _ in range(2):
        for index in torch.randperm(len(obs)).split(8):
            policy, value = net(obs[index])
            ratio = (policy.log_prob(action[index]) - old_logp[index]).exp()
            a = advantage[index]
            a = (a - a.mean()) / (a.std() + 1e-8)
            clipped = old_value[index] + (value - old_value[index]).clamp(-0.2, 0.2)
            loss = -torch.min(ratio * a, ratio.clamp(0.8, 1.2) * a).mean()
            loss = loss + 0.5 * torch.max((value - returns[index]) ** 2, (clipped - returns[index]) ** 2).mean()
            loss = loss - 0.01 * policy.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            optimizer.step()
    print(update, loss.item())
