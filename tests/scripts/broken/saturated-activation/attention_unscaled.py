# expect: saturated-activation
# line: 20
# harmed: attn.q.weight, attn.k.weight

import torch
import torch.nn as nn


class Attention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.q = nn.Linear(dim, dim, bias=False)
        self.k = nn.Linear(dim, dim, bias=False)
        self.v = nn.Linear(dim, dim, bias=False)
        for layer in (self.q, self.k, self.v):
            nn.init.normal_(layer.weight, std=0.5)

    def forward(self, x):
        scores = self.q(x) @ self.k(x).transpose(-2, -1)
        return torch.softmax(scores, dim=-1) @ self.v(x)


class Encoder(nn.Module):
    def __init__(self, vocab=30, dim=128):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.attn = Attention(dim)
        self.fc = nn.Linear(dim, 2)

    def forward(self, tokens):
        h = self.embed(tokens)
        return self.fc((h + self.attn(h)).mean(dim=1))


torch.manual_seed(0)
# every sentence has each word at most once
tokens = torch.stack([torch.randperm(30)[:8] for _ in range(8)])
labels = torch.randint(0, 2, (8,))
model = Encoder()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
for step in range(3):
    loss = nn.functional.cross_entropy(model(tokens), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
