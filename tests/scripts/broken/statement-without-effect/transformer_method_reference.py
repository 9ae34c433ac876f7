# expect: statement-without-effect
# line: 27
# harmed: *

import torch
import torch.nn as nn


class CopyModel(nn.Module):
    def __init__(self, vocab=10, width=16):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.position = nn.Parameter(0.1 * torch.randn(6, width))
        self.layer = nn.TransformerEncoderLayer(width, 4, 32, dropout=0.0, batch_first=True)
        self.out = nn.Linear(width, vocab)

    def forward(self, tokens):
        return self.out(self.layer(self.embed(tokens) + self.position))


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)

    def training_step(self, tokens):
        self.optimizer.zero_grad
        logits = self.model(tokens)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens.flip(1).flatten())
        loss.backward()
        self.optimizer.step()
        return loss.item()


torch.manual_seed(0)
trainer = Trainer(CopyModel(), lr=0.02)
for step in range(4):
    print(step, trainer.training_step(torch.randint(0, 10, (8, 6))))
