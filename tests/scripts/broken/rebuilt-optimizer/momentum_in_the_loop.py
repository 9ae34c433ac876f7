# expect: rebuilt-optimizer
# line: 14
# harmed: *

"""The rate decays by hand, with a new optimizer for each batch."""
import torch
import torch.nn as nn

torch.manual_seed(0)
net = nn.Sequential(nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(40, 2))
rate = 0.05
for step in range(8):
    x, y = torch.randn(6, 1, 12), torch.randint(0, 2, (6,))
    optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9)
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    rate *= 0.99
