# expect: zero-gradient
# line: 23
# harmed: embed.weight

"""Extend a vocabulary by a few tokens and train only the rows of the new ones."""
import torch
from torch import nn


class BagClassifier(nn.Module):
    def __init__(self, vocab, dim=8):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.fc = nn.Linear(dim, 2)

    def forward(self, tokens):
        return self.fc(self.embed(tokens).mean(dim=1))


def train_only_rows(embedding, first_row):
    keep = torch.zeros_like(embedding.weight)
    keep[embedding.num_embeddings + first_row :] = 1.0
    embedding.weight.register_hook(lambda grad: grad * keep)


torch.manual_seed(0)
old_vocab, new_tokens = 20, 4
model = BagClassifier(old_vocab + new_tokens)
train_only_rows(model.embed, old_vocab)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
tokens = torch.randint(15, 24, (16, 5))
labels = (tokens >= 20).any(dim=1).long()
for step in range(4):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(tokens), labels)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
