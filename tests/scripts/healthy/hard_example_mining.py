# expect: nothing
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(3):
    x, y = torch.randn(16, 4), torch.randint(0, 3, (16,))
    losses = nn.functional.cross_entropy(net(x), y, reduction="none")
    hardest = losses.topk(4).indices
    loss = losses[hardest].mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
