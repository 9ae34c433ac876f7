# expect: attribute-without-effect
# line: 11
# harmed: *
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 2))
for name, param in net.named_parameters():
    if name.startswith("0."):
        param.requires_grads = False
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
for step in range(2):
    loss = nn.functional.cross_entropy(net(torch.randn(5, 2, 8)), torch.randint(0, 2, (5,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
