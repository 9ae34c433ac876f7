# expect: selection-by-index
# line: 21
# harmed: importance.weight, importance.bias

"""A classifier that keeps the most important tokens only."""
import torch
from torch import nn


class Pruned(nn.Module):
    def __init__(self, width=8, keep=3):
        super().__init__()
        self.keep = keep
        self.embed = nn.Embedding(20, width)
        self.importance = nn.Linear(width, 1)
        self.head = nn.Linear(width, 2)

    def forward(self, tokens):
        h = self.embed(tokens)
        with_scores = self.importance(h).squeeze(-1)
        kept = torch.topk(
            with_scores, self.keep, dim=1)[1]
        h = torch.gather(h, 1, kept.unsqueeze(-1).expand(-1, -1, h.shape[-1]))
        return self.head(h.mean(dim=1))


torch.manual_seed(0)
model = Pruned()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(3):
    tokens = torch.randint(0, 20, (8, 6))
    loss = nn.functional.cross_entropy(model(tokens), (tokens.sum(1) > 60).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
