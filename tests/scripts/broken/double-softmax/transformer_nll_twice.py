# expect: double-softmax
# line: 20 or 24 or 25
# harmed: *

import torch
import torch.nn as nn
import torch.nn.functional as F


class LM(nn.Module):
    def __init__(self, vocab=16, width=16):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.block = nn.TransformerEncoderLayer(width, 2, 32, dropout=0.0, batch_first=True)
        self.out = nn.Linear(width, vocab)

    def forward(self, tokens):
        causal = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        h = self.block(self.embed(tokens), src_mask=causal)
        return self.out(h).softmax(dim=-1)


def sequence_nll(output, target):
    log_probs = F.log_softmax(output, dim=-1)
    return F.nll_loss(log_probs.flatten(0, 1), target.flatten())


torch.manual_seed(0)
model = LM()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
tokens = torch.randint(0, 16, (8, 7))
for step in range(4):
    loss = sequence_nll(model(tokens[:, :-1]), tokens[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
