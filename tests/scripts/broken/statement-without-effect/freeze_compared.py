# expect: statement-without-effect
# line: 10
# harmed: *
import torch
from torch import nn

torch.manual_seed(0)
backbone, head = nn.Linear(6, 8), nn.Linear(8, 2)
for p in backbone.parameters():
    p.requires_grad == False  # noqa: E712, B015
optimizer = torch.optim.Adam([*backbone.parameters(), *head.parameters()])
for step in range(2):
    x, y = torch.randn(9, 6), torch.randint(0, 2, (9,))
    loss = nn.functional.cross_entropy(head(backbone(x).tanh()), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
