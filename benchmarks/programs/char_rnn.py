"""A character model with an LSTM, trained on chunks of a text."""

import torch
from torch import nn

text = "the quick brown fox jumps over the lazy dog. " * 20
letters = sorted(set(text))
codes = torch.tensor([letters.index(letter) for letter in text])


class CharRNN(nn.Module):
    def __init__(self, size, hidden=48):
        super().__init__()
        self.encoder = nn.Embedding(size, hidden)
        self.rnn = nn.LSTM(hidden, hidden, num_layers=2, batch_first=True, dropout=0.1)
        self.decoder = nn.Linear(hidden, size)

    def forward(self, inputs, state=None):
        output, state = self.rnn(self.encoder(inputs), state)
        return self.decoder(output), state


torch.manual_seed(0)
model = CharRNN(len(letters))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
criterion = nn.CrossEntropyLoss()
state = None
for step in range(6):
    chunk = codes[step * 40 : step * 40 + 41]
    if state is not None:
        state = tuple(part.detach() for part in state)
    output, state = model(chunk[None, :-1], state)
    loss = criterion(output.view(-1, len(letters)), chunk[1:])
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    print(f"{step} {loss.item():.4f}")
