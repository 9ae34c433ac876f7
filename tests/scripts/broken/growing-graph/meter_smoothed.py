# expect: growing-graph
# line: 17 or 19 or 42
# harmed: *

"""Train a bidirectional GRU tagger and log a smoothed loss."""
import torch
from torch import nn


class SmoothedMeter:
    def __init__(self, beta=0.9):
        self.beta = beta
        self.value = None

    def update(self, new):
        if self.value is None:
            self.value = new
        else:
            self.value = self.beta * self.value + (1 - self.beta) * new


class Tagger(nn.Module):
    def __init__(self, vocab=15, tags=4):
        super().__init__()
        self.embed = nn.Embedding(vocab, 6)
        self.gru = nn.GRU(6, 8, bidirectional=True, batch_first=True)
        self.out = nn.Linear(16, tags)

    def forward(self, tokens):
        return self.out(self.gru(self.embed(tokens))[0])


torch.manual_seed(0)
model, meter = Tagger(), SmoothedMeter()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(5):
    tokens = torch.randint(0, 15, (6, 5))
    loss = nn.functional.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten() % 4)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    meter.update(loss)
    print(f"step {step} loss {meter.value:.4f}")
