# expect: rewrapped-loss
# line: 29
# harmed: *

import torch
import torch.nn as nn
from torch.autograd import Variable


class CharModel(nn.Module):
    def __init__(self, n_chars, hidden):
        super().__init__()
        self.embed = nn.Embedding(n_chars, 8)
        self.lstm = nn.LSTM(8, hidden)
        self.decoder = nn.Linear(hidden, n_chars)

    def forward(self, seq):
        out, _ = self.lstm(self.embed(seq))
        return self.decoder(out)


def run_epoch(model, optimizer, text, criterion):
    loss = 0
    for start in range(0, len(text) - 6, 6):
        chunk = text[start : start + 6].unsqueeze(1)
        target = text[start + 1 : start + 7]
        logits = model(chunk)
        loss += criterion(logits.squeeze(1), target)
    loss = Variable(loss.data, requires_grad=True)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


torch.manual_seed(7)
text = torch.tensor([ord(c) - ord("a") for c in "helloworldhelloworldhelloworld"])
model = CharModel(26, 16)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(3):
    print("epoch", epoch, "loss", run_epoch(model, optimizer, text, nn.CrossEntropyLoss()))
