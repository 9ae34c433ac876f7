# expect: nothing

"""Sequence classification in the style of a trainer: warm-up, clipping, parameter groups, eval."""
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR


class Classifier(nn.Module):
    def __init__(self, vocab=24, width=16, heads=4, layers=2, classes=3):
        super().__init__()
        self.embeddings = nn.Embedding(vocab, width, padding_idx=0)
        self.position = nn.Parameter(0.02 * torch.randn(1, 10, width))
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.1, "gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.pooler = nn.Linear(width, width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, ids):
        h = self.embeddings(ids) + self.position[:, : ids.shape[1]]
        h = self.encoder(h, src_key_padding_mask=ids == 0)
        return self.classifier(torch.tanh(self.pooler(h[:, 0])))


def build_optimizer(model, lr):
    no_decay = [p for p in model.parameters() if p.ndim < 2]
    decay = [p for p in model.parameters() if p.ndim >= 2]
    return torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}, {"params": no_decay, "weight_decay": 0.0}], lr=lr)


@torch.no_grad()
def evaluate(model, ids, labels):
    model.eval()
    return (model(ids).argmax(dim=1) == labels).float().mean().item()


torch.manual_seed(42)
ids = torch.randint(1, 24, (24, 9))
ids[::3, 6:] = 0
labels = ids[:, 0] % 3
model = Classifier()
optimizer = build_optimizer(model, lr=5e-3)
scheduler = LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 3))
for step in range(6):
    model.train()
    loss = nn.functional.cross_entropy(model(ids), labels)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    optimizer.zero_grad()
    print(f"step {step} loss {loss.item():.4f} acc {evaluate(model, ids, labels):.2f}")
