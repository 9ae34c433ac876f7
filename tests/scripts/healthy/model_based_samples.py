# expect: nothing

"""Samples that train nothing on purpose: actions for a critic under no_grad, rsample for the actor, noise for an input."""
import torch
from torch import nn
from torch.distributions import Independent, Normal

torch.manual_seed(0)
actor, critic = nn.Linear(4, 2), nn.Linear(6, 1)
a_optimizer = torch.optim.Adam(actor.parameters())
c_optimizer = torch.optim.Adam(critic.parameters())


def policy(states):
    return Independent(Normal(actor(states).tanh(), 0.3), 1)


for _ in range(3):
    states = torch.randn(16, 4)
    actions = policy(states).sample()
    c_loss = (critic(torch.cat([states, actions], 1)) - torch.randn(16, 1)).square().mean()
    c_optimizer.zero_grad()
    c_loss.backward()
    c_optimizer.step()

    q = critic(torch.cat([states + Normal(0.0, 0.1).sample(states.shape), policy(states).rsample()], 1))
    a_optimizer.zero_grad()
    (-q.mean()).backward()
    a_optimizer.step()
