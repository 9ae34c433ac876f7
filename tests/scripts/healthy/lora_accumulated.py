# expect: nothing

"""LoRA on every projection of a small transformer, with gradients accumulated over four batches: until the first step
every B is zero, so every A gets a gradient of zeros in each of the four backward calls."""
import torch
import torch.nn.functional as F
from torch import nn

RANK, WIDTH, ACCUMULATE = 4, 32, 4


class LoRALinear(nn.Module):
    def __init__(self, inner: nn.Linear):
        super().__init__()
        self.inner = inner.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(RANK, inner.in_features) / inner.in_features**0.5)
        self.lora_b = nn.Parameter(torch.zeros(inner.out_features, RANK))

    def forward(self, x):
        return self.inner(x) + (x @ self.lora_a.T) @ self.lora_b.T * 2.0


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv = LoRALinear(nn.Linear(WIDTH, 3 * WIDTH))
        self.proj = LoRALinear(nn.Linear(WIDTH, WIDTH))
        self.up = LoRALinear(nn.Linear(WIDTH, 4 * WIDTH))
        self.down = LoRALinear(nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x):
        q, k, v = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(4))
        self.head = nn.Linear(WIDTH, 6)

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


torch.manual_seed(0)
model = Tagger()
for name, parameter in model.named_parameters():
    parameter.requires_grad_("lora_" in name or name.startswith("head."))
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)

for batch in range(12):
    tokens = torch.randint(0, 50, (8, 10))
    loss = F.cross_entropy(model(tokens).flatten(0, 1), (tokens % 6).flatten()) / ACCUMULATE
    loss.backward()
    if (batch + 1) % ACCUMULATE == 0:
        optimizer.step()
        optimizer.zero_grad()
        print(f"batch {batch + 1}: loss {loss.item() * ACCUMULATE:.3f}")
