# expect: zero-derivative
# line: 20
# harmed: score.0.weight, score.0.bias, score.2.weight, score.2.bias

"""Attention pooling over instances (multiple-instance learning)."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class AttentionMIL(nn.Module):
    def __init__(self, n_features=6, hidden=8):
        super().__init__()
        self.embed = nn.Linear(n_features, hidden)
        self.score = nn.Sequential(nn.Linear(hidden, 8), nn.Tanh(), nn.Linear(8, 1))
        self.classify = nn.Linear(hidden, 1)

    def forward(self, bags):
        h = F.relu(self.embed(bags))
        weights = F.softmax(self.score(h), dim=-1)
        return self.classify((weights * h).sum(dim=1)).squeeze(-1)


torch.manual_seed(0)
bags = torch.randn(10, 7, 6)
labels = (bags[..., 0].max(dim=1).values > 1.0).float()
model = AttentionMIL()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(4):
    optimizer.zero_grad()
    loss = F.binary_cross_entropy_with_logits(model(bags), labels)
    loss.backward()
    optimizer.step()
    print(epoch, f"{loss.item():.4f}")
