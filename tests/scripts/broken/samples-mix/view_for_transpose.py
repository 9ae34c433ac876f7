# expect: samples-mix
# line: 18 or 19
# harmed: *
# options: --check-independence

"""Sequences first, then a view that was meant as a transpose: each sample gets steps of others."""
import torch
from torch import nn


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(20, 8), nn.Linear(8, 3)

    def forward(self, tokens):
        batch, time = tokens.shape
        h = self.embed(tokens).transpose(0, 1).contiguous()
        h = h.view(batch, time, 8)
        return self.head(h.mean(1))


torch.manual_seed(0)
reader = Reader()
optimizer = torch.optim.Adam(reader.parameters())
for _ in range(2):
    loss = nn.functional.cross_entropy(reader(torch.randint(20, (4, 7))), torch.randint(3, (4,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
