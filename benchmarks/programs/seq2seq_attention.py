"""An encoder, and a decoder that attends to it, reverse a sequence."""

import torch
import torch.nn.functional as F
from torch import nn

WORDS, HIDDEN, LENGTH = 12, 32, 6


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, HIDDEN)
        self.gru = nn.GRU(HIDDEN, HIDDEN, batch_first=True)

    def forward(self, source):
        return self.gru(self.embedding(source))


class AttentionDecoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, HIDDEN)
        self.Wa, self.Ua, self.Va = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, 1)
        self.gru = nn.GRU(2 * HIDDEN, HIDDEN, batch_first=True)
        self.out = nn.Linear(HIDDEN, WORDS)

    def attention(self, query, keys):
        scores = self.Va(torch.tanh(self.Wa(query) + self.Ua(keys))).squeeze(2)
        return torch.bmm(F.softmax(scores, dim=-1).unsqueeze(1), keys)

    def forward(self, outputs, hidden, target):
        word = torch.zeros(target.shape[0], 1, dtype=torch.long)
        decoded = []
        for position in range(target.shape[1]):
            context = self.attention(hidden.permute(1, 0, 2), outputs)
            output, hidden = self.gru(torch.cat((self.embedding(word), context), dim=2), hidden)
            decoded.append(self.out(output))
            word = target[:, position].unsqueeze(1)
        return torch.cat(decoded, dim=1)


torch.manual_seed(0)
encoder, decoder = Encoder(), AttentionDecoder()
encoder_optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
decoder_optimizer = torch.optim.Adam(decoder.parameters(), lr=1e-3)
for step in range(3):
    source = torch.randint(1, WORDS, (16, LENGTH))
    target = source.flip(1)
    encoder_optimizer.zero_grad()
    decoder_optimizer.zero_grad()
    encoder_outputs, encoder_hidden = encoder(source)
    logits = decoder(encoder_outputs, encoder_hidden, target)
    loss = F.nll_loss(logits.log_softmax(-1).reshape(-1, WORDS), target.reshape(-1))
    loss.backward()
    encoder_optimizer.step()
    decoder_optimizer.step()
    print(f"{step} {loss.item():.4f}")
