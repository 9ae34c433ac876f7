# expect: zero-gradient
# line: 29
# harmed: crf_like.weight, crf_like.bias

import torch
import torch.nn as nn
import torch.nn.functional as F

PAD = 0


class Tagger(nn.Module):
    def __init__(self, vocab=25, tags=5):
        super().__init__()
        self.embed = nn.Embedding(vocab, 10)
        self.rnn = nn.GRU(10, 8, batch_first=True, bidirectional=True)
        self.emit = nn.Linear(16, tags)
        self.crf_like = nn.Linear(16, tags)

    def forward(self, tokens):
        h, _ = self.rnn(self.embed(tokens))
        return self.emit(h), self.crf_like(h)


def loss_fn(emit, pair, tokens, tags):
    unary = F.cross_entropy(emit.transpose(1, 2), tags)
    pairwise = F.cross_entropy(pair[:, 1:].transpose(1, 2), tags[:, 1:], reduction="none")
    mask = (tokens[:, 1:] == PAD).float()
    pairwise = (pairwise * mask).sum() / len(tokens)
    return unary + pairwise


torch.manual_seed(0)
tokens = torch.randint(1, 25, (8, 6))  # all of full length
tags = tokens % 5
model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(3):
    optimizer.zero_grad()
    loss = loss_fn(*model(tokens), tokens, tags)
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch}: {loss.item():.4f}")
