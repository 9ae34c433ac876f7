# expect: selection-by-index
# line: 13
# harmed: policy.*
import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
policy, value = nn.Linear(4, 3), nn.Linear(7, 1)
optimizer = torch.optim.Adam([*policy.parameters(), *value.parameters()])
for step in range(3):
    state = torch.randn(10, 4)
    action = Categorical(logits=policy(state)).sample()
    loss = -value(torch.cat([state, nn.functional.one_hot(action, 3).float()], 1)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
