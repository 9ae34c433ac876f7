# expect: vanishing-gradient
# line: 21 or 34
# harmed: init_state.weight, init_state.bias

"""Caption-like model: an image feature sets the first state of a recurrent network."""
import torch
from torch import nn


class Captioner(nn.Module):
    def __init__(self, n_feat=8, hidden=16, vocab=12):
        super().__init__()
        self.init_state = nn.Linear(n_feat, hidden)
        self.embed = nn.Embedding(vocab, hidden)
        self.recur = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, vocab)

    def forward(self, feature, words):
        h = torch.tanh(self.init_state(feature))
        for t in range(words.shape[1]):
            h = torch.tanh(self.embed(words[:, t]) + self.recur(h))
        return self.out(h)


torch.manual_seed(0)
feature = torch.randn(8, 8)
words = torch.randint(0, 12, (8, 40))
last = feature.argmax(dim=1)
model = Captioner()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(3):
    loss = nn.functional.cross_entropy(model(feature, words), last)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
