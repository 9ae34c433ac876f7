# expect: zero-gradient
# line: 19
# harmed: 0.lora_A, 0.lora_B

"""Low-rank adaptation of a frozen linear layer."""
import torch
from torch import nn


class LoRALinear(nn.Module):
    def __init__(self, base, rank=2, alpha=4.0):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.zeros(rank, base.in_features))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank))
        self.scaling = alpha / rank

    def forward(self, x):
        update = x @ self.lora_A.t() @ self.lora_B.t()
        return self.base(x) + self.scaling * update


def main():
    torch.manual_seed(0)
    model = nn.Sequential(LoRALinear(nn.Linear(6, 12)), nn.GELU(), nn.Linear(12, 3))
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-2, weight_decay=0.0)
    x = torch.randn(20, 6)
    y = torch.randint(0, 3, (20,))
    for step in range(4):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step} loss {loss.item():.4f}")


if __name__ == "__main__":
    main()
