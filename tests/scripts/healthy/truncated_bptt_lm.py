# expect: nothing

"""Word language model with truncated back-propagation through time."""
import math

import torch
import torch.nn as nn


class RNNModel(nn.Module):
    def __init__(self, vocab=20, width=16):
        super().__init__()
        self.drop = nn.Dropout(0.1)
        self.encoder = nn.Embedding(vocab, width)
        self.rnn = nn.LSTM(width, width, 2, dropout=0.1)
        self.decoder = nn.Linear(width, vocab)

    def forward(self, tokens, hidden):
        out, hidden = self.rnn(self.drop(self.encoder(tokens)), hidden)
        return self.decoder(self.drop(out)), hidden


def repackage_hidden(h):
    """Wraps hidden states in new tensors, to detach them from their history."""
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


torch.manual_seed(1111)
model = RNNModel()
criterion = nn.CrossEntropyLoss()
corpus = (3 * torch.arange(80).unsqueeze(1) + torch.arange(4)) % 20
hidden = (torch.zeros(2, 4, 16), torch.zeros(2, 4, 16))
lr, total = 8.0, 0.0
for i in range(0, 70, 10):
    data, targets = corpus[i : i + 10], corpus[i + 1 : i + 11].reshape(-1)
    model.zero_grad()
    hidden = repackage_hidden(hidden)
    output, hidden = model(data, hidden)
    loss = criterion(output.view(-1, 20), targets)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
    for p in model.parameters():
        p.data.add_(p.grad, alpha=-lr)
    total += loss.item()
    print(f"{i:3d} loss {loss.item():.3f} ppl {math.exp(loss.item()):.2f}")
