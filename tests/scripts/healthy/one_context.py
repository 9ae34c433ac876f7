# expect: nothing
import torch
from torch import nn
torch.manual_seed(10)
net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 4))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
arms = torch.tensor([0.1, 0.5, 0.9, 0.2])
for _ in range(10):
    context = torch.ones(12, 1)
    d = torch.distributions.Categorical(logits=net(context))
    a = d.sample()
    reward = torch.bernoulli(arms[a])
    loss = -(d.log_prob(a) * (reward - 0.4)).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
