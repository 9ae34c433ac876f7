# expect: samples-mix
# line: 11
# harmed: *
# options: --check-independence 0

import torch


def gate(scores, values):
    """Weighs the values of each sample, by a softmax over the wrong dimension."""
    weights = scores.softmax(0)
    return (weights * values).sum(1)


torch.manual_seed(0)
score, value = torch.nn.Linear(5, 4), torch.nn.Linear(5, 4)
optimizer = torch.optim.SGD([*score.parameters(), *value.parameters()], lr=0.1)
for x in torch.randn(2, 6, 5):
    loss = (gate(score(x), value(x)) - x[:, 0]).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
