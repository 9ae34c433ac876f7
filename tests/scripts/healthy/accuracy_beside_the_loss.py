# expect: nothing
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(4, 3)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(3):
    x, y = torch.randn(16, 4), torch.randint(0, 3, (16,))
    logits = net(x)
    accuracy = (logits.argmax(1) == y).float().mean()
    worst = logits.argsort(dim=1)[:, 0]
    loss = nn.functional.cross_entropy(logits, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
