# expect: nothing

"""Skip-gram with negative sampling and sparse gradients; many rows are never touched."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class SkipGram(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.center = nn.Embedding(vocab, dim, sparse=True)
        self.context = nn.Embedding(vocab, dim, sparse=True)
        nn.init.uniform_(self.center.weight, -0.5, 0.5)
        nn.init.uniform_(self.context.weight, -0.5, 0.5)

    def forward(self, center, positive, negative):
        c = self.center(center)
        pos = (c * self.context(positive)).sum(dim=-1)
        neg = torch.bmm(self.context(negative), c.unsqueeze(2)).squeeze(2)
        return -(F.logsigmoid(pos) + F.logsigmoid(-neg).sum(dim=1)).mean()


torch.manual_seed(0)
model = SkipGram(vocab=500, dim=8)
optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=0.05)
center = torch.randint(0, 40, (32,))
for step in range(5):
    loss = model(center, (center + 1) % 40, torch.randint(0, 500, (32, 4)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
