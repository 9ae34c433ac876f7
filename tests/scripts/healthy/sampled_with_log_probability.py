# expect: nothing
import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
policy = nn.Linear(4, 3)
optimizer = torch.optim.Adam(policy.parameters())
for step in range(3):
    state = torch.randn(10, 4)
    distribution = Categorical(logits=policy(state))
    action = distribution.sample()
    reward = (action == state.abs().sum(1).long() % 3).float()
    loss = -(distribution.log_prob(action) * (reward - reward.mean())).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
