# expect: nothing

"""Targets that come from the same network, but from other inputs or other layers: TD, consistency, a ratio."""
import torch
from torch import nn

torch.manual_seed(0)
net, value = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)), nn.Linear(6, 1)
optimizer = torch.optim.Adam([*net.parameters(), *value.parameters()])
for _ in range(3):
    one, two = torch.randn(16, 6), torch.randn(16, 6)
    consistency = nn.functional.mse_loss(net(one), net(two).detach())
    target = torch.randn(16, 1) + 0.9 * value(two).detach()
    td = nn.functional.mse_loss(value(one), target)
    logits = net(one).log_softmax(1)[:, 0]
    ratio = (logits - logits.detach()).exp()
    loss = consistency + td - (ratio * torch.randn(16)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
