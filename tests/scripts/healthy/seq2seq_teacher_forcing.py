# expect: nothing

"""Encoder-decoder GRU that reverses a sequence; sometimes it is fed its own (argmax) words."""
import random

import torch
import torch.nn as nn


class Encoder(nn.Module):
    def __init__(self, vocab, hidden):
        super().__init__()
        self.embedding = nn.Embedding(vocab, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)

    def forward(self, src):
        return self.gru(self.embedding(src))


class Decoder(nn.Module):
    def __init__(self, vocab, hidden):
        super().__init__()
        self.embedding = nn.Embedding(vocab, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)
        self.out = nn.Linear(hidden, vocab)

    def forward(self, hidden, target, teacher_forcing):
        word = torch.ones(len(target), 1, dtype=torch.long)
        outputs = []
        for t in range(target.shape[1]):
            step, hidden = self.gru(torch.relu(self.embedding(word)), hidden)
            logits = self.out(step)
            outputs.append(logits)
            if teacher_forcing:
                word = target[:, t : t + 1]
            else:
                word = logits.topk(1).indices.squeeze(-1).detach()
        return torch.cat(outputs, dim=1)


random.seed(2)
torch.manual_seed(0)
encoder, decoder = Encoder(14, 16), Decoder(14, 16)
encoder_optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-2)
decoder_optimizer = torch.optim.Adam(decoder.parameters(), lr=1e-2)
src = torch.randint(2, 14, (16, 5))
target = src.flip(1)
for step in range(6):
    encoder_optimizer.zero_grad()
    decoder_optimizer.zero_grad()
    _, hidden = encoder(src)
    outputs = decoder(hidden, target, teacher_forcing=random.random() < 0.5)
    loss = nn.functional.cross_entropy(outputs.flatten(0, 1), target.flatten())
    loss.backward()
    encoder_optimizer.step()
    decoder_optimizer.step()
    print(step, loss.item())
