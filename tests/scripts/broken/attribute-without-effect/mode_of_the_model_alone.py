# expect: attribute-without-effect
# line: 29
# harmed: *
import torch
from torch import nn


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 16)
        self.body = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.4))
        self.head = nn.Linear(32, 5)

    def forward(self, ids):
        return self.head(self.body(self.embed(ids).mean(1)))


torch.manual_seed(2)
model = Tagger()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
ids, labels = torch.randint(0, 50, (64, 7)), torch.randint(0, 5, (64,))
for epoch in range(4):
    for k in range(0, 48, 16):
        loss = nn.functional.cross_entropy(model(ids[k:k + 16]), labels[k:k + 16])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.training = False
    with torch.no_grad():
        accuracy = (model(ids[48:]).argmax(1) == labels[48:]).float().mean()
    print(epoch, loss.item(), accuracy.item())
