# expect: not-in-optimizer
# line: 39
# harmed: attention.weight

import itertools

import torch
from torch import nn


class AttentiveSeq2Seq(nn.Module):
    def __init__(self, vocab=14, hidden=12):
        super().__init__()
        self.embed = nn.Embedding(vocab, hidden)
        self.encoder = nn.GRU(hidden, hidden, batch_first=True)
        self.decoder = nn.GRU(hidden, hidden, batch_first=True)
        self.attention = nn.Linear(hidden, hidden, bias=False)
        self.generator = nn.Linear(2 * hidden, vocab)

    def forward(self, src, tgt):
        memory, last = self.encoder(self.embed(src))
        states, _ = self.decoder(self.embed(tgt), last)
        scores = self.attention(states) @ memory.mT
        context = torch.softmax(scores, dim=-1) @ memory
        return self.generator(torch.cat([states, context], dim=-1))


def trainable_parameters(model):
    return itertools.chain(
        model.embed.parameters(),
        model.encoder.parameters(),
        model.decoder.parameters(),
        model.generator.parameters(),
    )


torch.manual_seed(0)
model = AttentiveSeq2Seq()
optimizer = torch.optim.Adam(trainable_parameters(model), lr=1e-2)
src = torch.randint(2, 14, (12, 6))
tgt_in = torch.cat([torch.ones(12, 1, dtype=torch.long), src[:, :-1]], dim=1)
for step in range(4):
    loss = nn.functional.cross_entropy(model(src, tgt_in).flatten(0, 1), src.flatten())
    model.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
