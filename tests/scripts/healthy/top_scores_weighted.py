# expect: nothing

"""Selections whose scores also enter the loss: a gated mixture, a pooled maximum, accuracy by argmax."""
import torch
from torch import nn


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.read, self.pool = nn.Linear(6, 1), nn.Linear(6, 3), nn.Conv1d(5, 5, 3, padding=1)

    def forward(self, x):
        x = self.pool(x)
        scores = self.gate(x).squeeze(2)
        weights, best = scores.softmax(dim=1).topk(2, dim=1)
        seen = x.gather(1, best.unsqueeze(2).expand(-1, -1, 6))
        highest, where = x.max(dim=1)
        return (self.read(seen) * weights.unsqueeze(2)).sum(dim=1) + self.read(highest), where


def main():
    torch.manual_seed(0)
    model = Gated()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(3):
        x, labels = torch.randn(8, 5, 6), torch.randint(3, (8,))
        logits, _ = model(x)
        loss = nn.functional.cross_entropy(logits, labels)
        right = (logits.argmax(dim=1) == labels).float().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, f"{loss.item():.4f} {right.item():.2f}")


if __name__ == "__main__":
    main()
