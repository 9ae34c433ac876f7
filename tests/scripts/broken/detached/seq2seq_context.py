# expect: detached
# line: 40
# harmed: encoder.*

import torch
import torch.nn as nn


class Encoder(nn.Module):
    def __init__(self, vocab, hidden):
        super().__init__()
        self.embed = nn.Embedding(vocab, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)

    def forward(self, src):
        _, hidden = self.gru(self.embed(src))
        return hidden


class Decoder(nn.Module):
    def __init__(self, vocab, hidden):
        super().__init__()
        self.embed = nn.Embedding(vocab, hidden)
        self.cell = nn.GRU(hidden, hidden, batch_first=True)
        self.out = nn.Linear(hidden, vocab)

    def forward(self, tgt, hidden):
        out, hidden = self.cell(self.embed(tgt), hidden)
        return self.out(out), hidden


class Seq2Seq(nn.Module):
    def __init__(self, vocab=15, hidden=12):
        super().__init__()
        self.encoder = Encoder(vocab, hidden)
        self.decoder = Decoder(vocab, hidden)

    def forward(self, src, tgt):
        context = self.encoder(src)
        state = torch.tensor(context)
        logits, _ = self.decoder(tgt, state)
        return logits


torch.manual_seed(2)
src = torch.randint(3, 15, (10, 5))
tgt = torch.flip(src, dims=[1])
model = Seq2Seq()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(3):
    tgt_in = torch.cat([torch.ones(10, 1, dtype=torch.long), tgt[:, :-1]], dim=1)
    logits = model(src, tgt_in)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), tgt.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, round(loss.item(), 4))
