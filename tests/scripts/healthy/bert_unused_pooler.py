# expect: nothing

"""Masked language modelling with an encoder whose pooler is not needed, so it is not optimised."""
import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, vocab=20, width=16):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        layer = nn.TransformerEncoderLayer(width, 2, 32, dropout=0.1, batch_first=True, activation="gelu")
        self.layers = nn.TransformerEncoder(layer, 2)
        self.pooler = nn.Sequential(nn.Linear(width, width), nn.Tanh())

    def forward(self, tokens):
        hidden = self.layers(self.embed(tokens))
        return hidden, self.pooler(hidden[:, 0])


class MaskedLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.decoder = nn.Linear(16, 20)

    def forward(self, tokens):
        hidden, _ = self.encoder(tokens)
        return self.decoder(hidden)


torch.manual_seed(0)
MASK = 1
model = MaskedLM()
named = [(n, p) for n, p in model.named_parameters() if ".pooler." not in n]
optimizer = torch.optim.AdamW([p for _, p in named], lr=3e-3)
text = (torch.arange(12)[:, None] + torch.arange(8)) % 18 + 2
for step in range(5):
    hide = torch.rand(text.shape) < 0.3
    logits = model(text.masked_fill(hide, MASK))
    loss = nn.functional.cross_entropy(logits[hide], text[hide])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
