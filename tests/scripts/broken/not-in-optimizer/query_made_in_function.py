# expect: not-in-optimizer
# line: 14
# harmed: *
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)
embed = nn.Embedding(10, 4)
head = nn.Linear(4, 2)

def attend(h):
    query = nn.Parameter(torch.randn(4))
    w = (h @ query).softmax(1)
    return (w.unsqueeze(2) * h).sum(1)

opt = torch.optim.SGD([*embed.parameters(), *head.parameters()], lr=.1)
for i in range(4):
    x = torch.randint(0, 10, (8, 5)); y = (x.sum(1) > 20).long()
    loss = F.cross_entropy(head(attend(embed(x))), y)
    opt.zero_grad(); loss.backward(); opt.step()
