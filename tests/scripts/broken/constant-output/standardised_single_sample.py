# expect: constant-output
# line: 9
# harmed: *

import torch


def standardise(rows):
    return (rows - rows.mean(0)) / (rows.std(0, unbiased=False) + 1e-5)


torch.manual_seed(0)
embed = torch.nn.Linear(5, 3)
optimizer = torch.optim.SGD(embed.parameters(), lr=0.1)
for sample in torch.randn(3, 5):
    optimizer.zero_grad()
    loss = (standardise(embed(sample[None])) - 1).square().mean()
    loss.backward()
    optimizer.step()
