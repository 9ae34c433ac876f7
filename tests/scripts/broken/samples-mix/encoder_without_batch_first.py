# expect: samples-mix
# line: 15
# harmed: *
# options: --check-independence

"""A transformer that takes the batch for the time: batch_first was left out."""
import torch
from torch import nn

torch.manual_seed(0)
embed, head = nn.Linear(5, 8), nn.Linear(8, 2)
block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0)
optimizer = torch.optim.Adam([*embed.parameters(), *block.parameters(), *head.parameters()])
for _ in range(2):
    h = block(embed(torch.randn(4, 6, 5)))
    loss = nn.functional.cross_entropy(head(h.mean(1)), torch.randint(2, (4,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
