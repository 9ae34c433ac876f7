# expect: step-without-gradient
# line: 31 or 32
# harmed: *

import torch
import torch.nn as nn


class Counter(nn.Module):
    """Counts the ones of a bit string."""

    def __init__(self, hidden=10):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, bits):
        _, h = self.gru(bits)
        return self.out(h[-1])


torch.manual_seed(0)
model = Counter()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
accumulation_steps = 2
bits = torch.randint(0, 2, (48, 8, 1)).float()
for i, batch in enumerate(bits.split(8)):
    loss = nn.functional.mse_loss(model(batch), batch.sum(dim=1)) / accumulation_steps
    loss.backward()
    if (i + 1) % accumulation_steps == 0:
        optimizer.zero_grad()
        optimizer.step()
    print(i, loss.item() * accumulation_steps)
