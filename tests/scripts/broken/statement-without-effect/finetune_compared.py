# expect: statement-without-effect
# line: 11
# harmed: *

"""Fine-tuning: everything but the head is to stay as it is."""
import torch
from torch import nn


def freeze(part):
    for weight in part.parameters(): weight.requires_grad == False


def main():
    torch.manual_seed(2)
    body, head = nn.Sequential(nn.Linear(5, 12), nn.Tanh()), nn.Linear(12, 2)
    freeze(body)
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=1e-3)
    for step in range(3):
        x, labels = torch.randn(16, 5), torch.randint(2, (16,))
        loss = nn.functional.cross_entropy(head(body(x)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
