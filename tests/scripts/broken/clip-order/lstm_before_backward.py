# expect: clip-order
# line: 29
# harmed: *

import torch
import torch.nn as nn


class LanguageModel(nn.Module):
    def __init__(self, vocab=18, hidden=12):
        super().__init__()
        self.embed = nn.Embedding(vocab, hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.out = nn.Linear(hidden, vocab)

    def forward(self, x):
        h, _ = self.lstm(self.embed(x))
        return self.out(h)


torch.manual_seed(0)
model = LanguageModel()
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
corpus = torch.randint(0, 18, (8, 13))
for epoch in range(4):
    logits = model(corpus[:, :-1])
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), corpus[:, 1:].flatten())
    optimizer.zero_grad()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.25)
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
