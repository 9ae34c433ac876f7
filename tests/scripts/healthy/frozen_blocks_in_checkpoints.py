# expect: nothing

"""A frozen encoder in reentrant checkpoints, a trained head; rows of zeros are normalised with a safe divisor."""
import warnings

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(30, 12, max_norm=2.0)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(12, 12), nn.GELU()) for _ in range(2))
        for weight in (*self.words.parameters(), *self.blocks.parameters()):
            weight.requires_grad_(False)
        self.head = nn.Linear(12, 4)

    def forward(self, ids):
        x = self.words(ids)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=True)
        return self.head(nn.functional.normalize(x, dim=-1, eps=1e-3))


def main():
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    tagger = Tagger()
    optimizer = torch.optim.Adam(tagger.head.parameters(), lr=1e-2)
    ids, tags = torch.randint(30, (8, 6)), torch.randint(4, (8, 6))
    for step in range(3):
        loss = nn.functional.cross_entropy(tagger(ids).flatten(0, 1), tags.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
