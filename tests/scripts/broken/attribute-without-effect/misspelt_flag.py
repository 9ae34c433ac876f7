# expect: attribute-without-effect
# line: 16
# harmed: *

"""A classifier with pretrained filters; the flag that freezes them has a letter too few."""
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.filters = nn.Conv1d(1, 4, 5)
        self.head = nn.Linear(4, 3)
        for weight in self.filters.parameters():
            weight.require_grad = False

    def forward(self, x):
        return self.head(torch.relu(self.filters(x)).mean(dim=2))


def main():
    torch.manual_seed(4)
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(3):
        x, labels = torch.randn(12, 1, 20), torch.randint(3, (12,))
        loss = nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
