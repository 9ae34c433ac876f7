# expect: inplace-modified
# line: 23
# harmed: *
# exit: 1

"""Self-attention pooling over padded sequences."""
import math

import torch
from torch import nn


class MaskedAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)

    def forward(self, x, keep):
        q, k, v = self.query(x), self.key(x), self.value(x)
        weights = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]), dim=-1)
        weights *= keep.unsqueeze(1)
        return weights @ v


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 8, padding_idx=0)
        self.attn = MaskedAttention(8)
        self.out = nn.Linear(8, 3)

    def forward(self, tokens):
        return self.out(self.attn(self.embed(tokens), (tokens != 0).float()))


torch.manual_seed(0)
tokens = torch.randint(1, 20, (6, 5))
tokens[:, 4] = 0
tags = torch.randint(0, 3, (6, 5))
model = Tagger()
optimizer = torch.optim.Adam(model.parameters())
for step in range(3):
    loss = nn.functional.cross_entropy(model(tokens).transpose(1, 2), tags)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, float(loss))
