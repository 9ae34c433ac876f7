# expect: moving-frozen-parameter
# line: 34 or 38
# harmed: embedding.weight

import torch
from torch import nn


class TextCNN(nn.Module):
    def __init__(self, vocab=20, dim=8):
        super().__init__()
        self.embedding = nn.Embedding(vocab, dim)
        self.conv = nn.Conv1d(dim, 8, 3, padding=1)
        self.fc = nn.Linear(8, 2)

    def forward(self, tokens):
        h = self.embedding(tokens).transpose(1, 2)
        return self.fc(torch.relu(self.conv(h)).amax(dim=2))


def clear_gradients(model):
    for p in model.parameters():
        if p.requires_grad:
            p.grad = None


torch.manual_seed(0)
tokens = torch.randint(0, 20, (12, 7))
labels = (tokens < 10).float().mean(dim=1).round().long()
model = TextCNN()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(4):
    # word vectors adapt in the first epoch only
    model.embedding.weight.requires_grad_(epoch < 1)
    clear_gradients(model)
    loss = nn.functional.cross_entropy(model(tokens), labels)
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")
