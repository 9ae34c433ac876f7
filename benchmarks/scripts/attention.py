"""Graph attention over 2,708 papers: eight heads, so that a score matrix has 58 million elements."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
torch.set_num_threads(1)
papers, features, heads, width = 2708, 64, 8, 8
x, labels = torch.rand(papers, features), torch.randint(0, 7, (papers,))
adjacency = (torch.rand(papers, papers) < 0.002) | torch.eye(papers, dtype=torch.bool)
project = nn.Linear(features, heads * width, bias=False)
source, target = (nn.Parameter(torch.randn(heads, width, 1) / width) for _ in range(2))
head = nn.Linear(heads * width, 7)
optimizer = torch.optim.Adam([*project.parameters(), *head.parameters(), source, target], lr=5e-3)
for step in range(2):
    optimizer.zero_grad()
    h = project(x).view(papers, heads, width).transpose(0, 1)
    scores = F.leaky_relu(h @ source + (h @ target).mT, 0.2)
    attention = scores.masked_fill(~adjacency, -9e15).softmax(-1)
    out = F.elu((F.dropout(attention, 0.4) @ h).transpose(0, 1).reshape(papers, -1))
    loss = F.cross_entropy(head(out), labels)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
