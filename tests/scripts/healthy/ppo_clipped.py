# expect: nothing

"""PPO with minibatches, clipped ratio, and the log-probs of the behaviour policy as constants."""
import torch
from torch import nn
from torch.distributions import Normal


class Agent(nn.Module):
    def __init__(self, n_obs=3, n_act=2):
        super().__init__()
        self.actor_mean = nn.Sequential(nn.Linear(n_obs, 16), nn.Tanh(), nn.Linear(16, n_act))
        self.actor_logstd = nn.Parameter(torch.full((1, n_act), -0.5))
        self.critic = nn.Sequential(nn.Linear(n_obs, 16), nn.Tanh(), nn.Linear(16, 1))

    def act(self, obs, action=None):
        mean = self.actor_mean(obs)
        dist = Normal(mean, self.actor_logstd.expand_as(mean).exp())
        if action is None:
            action = dist.sample()
        return action, dist.log_prob(action).sum(1), dist.entropy().sum(1), self.critic(obs).flatten()


torch.manual_seed(1)
agent = Agent()
optimizer = torch.optim.Adam(agent.parameters(), lr=3e-3, eps=1e-5)
for iteration in range(2):
    obs = torch.randn(64, 3)
    with torch.no_grad():
        actions, old_logprob, _, values = agent.act(obs)
    returns = -(actions - obs[:, :2]).pow(2).sum(dim=1)
    advantages = returns - values
    for epoch in range(2):
        for idx in torch.randperm(64).split(32):
            _, logprob, entropy, value = agent.act(obs[idx], actions[idx])
            ratio = (logprob - old_logprob[idx]).exp()
            adv = advantages[idx]
            adv = (adv - adv.mean()) / (adv.std() + 1e-8)
            pg_loss = torch.max(-adv * ratio, -adv * ratio.clamp(0.8, 1.2)).mean()
            v_loss = 0.5 * (value - returns[idx]).pow(2).mean()
            loss = pg_loss - 0.001 * entropy.mean() + 0.5 * v_loss
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()
        print(iteration, epoch, f"pg {pg_loss.item():.4f} value {v_loss.item():.4f}")
