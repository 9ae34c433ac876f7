# expect: step-without-effect
# line: 13
# harmed: *

"""Two groups with rates of their own; a loop that should freeze one sets both to 0."""
import torch
from torch import nn


def main():
    torch.manual_seed(2)
    body, head = nn.Linear(4, 6), nn.Linear(6, 2)
    optimizer = torch.optim.AdamW([{"params": body.parameters()}, {"params": head.parameters()}], lr=1e-3)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    for step in range(4):
        x, labels = torch.randn(16, 4), torch.randint(2, (16,))
        loss = nn.functional.cross_entropy(head(torch.relu(body(x))), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
