# expect: attribute-without-effect
# line: 19
# harmed: *

"""Fine-tuning a stack of blocks: all but the last two are frozen, one module at a time."""
import torch
from torch import nn

torch.manual_seed(0)
stack = nn.Sequential(
    nn.Embedding(30, 8),
    nn.Linear(8, 8),
    nn.ReLU(),
    nn.Linear(8, 8),
    nn.ReLU(),
    nn.Linear(8, 30),
)
for layer in list(stack.children())[:-2]:
    layer.requires_grad = False

optimizer = torch.optim.SGD((p for p in stack.parameters() if p.requires_grad), lr=0.1)
for step in range(3):
    tokens = torch.randint(0, 30, (4, 7))
    logits = stack(tokens[:, :-1])
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
