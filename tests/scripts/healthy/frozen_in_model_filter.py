# expect: nothing

import torch
import torch.nn as nn


class Classifier(nn.Module):
    """The encoder is taken as it is and stays in eval mode, without gradients."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Embedding(30, 12), nn.LSTM(12, 12, batch_first=True))
        self.head = nn.Sequential(nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 2))
        self.encoder.requires_grad_(False)

    def forward(self, tokens):
        with torch.no_grad():
            out, _ = self.encoder(tokens)
        return self.head(out.mean(dim=1))


torch.manual_seed(0)
model = Classifier()
optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=1e-2)
tokens = torch.randint(0, 30, (20, 6))
labels = torch.randint(0, 2, (20,))
for step in range(5):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(tokens), labels)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
