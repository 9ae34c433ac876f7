# expect: cut-path
# line: 15
# harmed: *.weight, *.bias

"""Weight decay by hand, as in a notebook: the sum of squares is a Python number."""
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
sgd = torch.optim.SGD(net.parameters(), lr=0.1)
X, Y = torch.randn(48, 6), torch.randint(2, (48,))
for batch, labels in zip(X.split(16), Y.split(16), strict=True):
    ce = nn.functional.cross_entropy(net(batch), labels)
    l2 = sum(p.pow(2).sum().item() for p in net.parameters())
    loss = ce + 1e-3 * l2
    sgd.zero_grad()
    loss.backward()
    sgd.step()
