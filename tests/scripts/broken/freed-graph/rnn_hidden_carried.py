# expect: freed-graph
# line: 29 or 31
# harmed: *
# exit: 1

import torch
import torch.nn as nn


class RNNModel(nn.Module):
    def __init__(self, vocab, hidden):
        super().__init__()
        self.encoder = nn.Embedding(vocab, hidden)
        self.rnn = nn.GRU(hidden, hidden)
        self.decoder = nn.Linear(hidden, vocab)

    def forward(self, tokens, hidden):
        out, hidden = self.rnn(self.encoder(tokens), hidden)
        return self.decoder(out), hidden


def train(model, corpus, bptt=6, lr=0.1):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    hidden = torch.zeros(1, corpus.shape[1], 12)
    for i in range(0, corpus.shape[0] - 1, bptt):
        length = min(bptt, corpus.shape[0] - 1 - i)
        data, target = corpus[i : i + length], corpus[i + 1 : i + 1 + length]
        optimizer.zero_grad()
        output, hidden = model(data, hidden)
        loss = nn.functional.cross_entropy(output.flatten(0, 1), target.flatten())
        loss.backward()
        optimizer.step()
        print(f"chunk {i // bptt} loss {loss.item():.3f}")


torch.manual_seed(0)
train(RNNModel(16, 12), torch.randint(0, 16, (25, 4)))
