# expect: selection-by-index
# line: 13
# harmed: tagger.*
import torch
from torch import nn

torch.manual_seed(0)
tagger, table, head = nn.Linear(6, 5), nn.Embedding(5, 4), nn.Linear(4, 1)
parameters = [*tagger.parameters(), *table.parameters(), *head.parameters()]
optimizer = torch.optim.Adam(parameters, lr=1e-2)
for step in range(3):
    x, y = torch.randn(8, 6), torch.randn(8, 1)
    tag = tagger(x).argmax(-1)
    loss = nn.functional.mse_loss(head(table(tag)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
