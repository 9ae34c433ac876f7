# expect: freed-graph
# line: 13
# harmed: *
# exit: 1

"""LBFGS calls its closure several times, but the prediction is computed once."""
import torch
from torch import nn

torch.manual_seed(0)
x = torch.rand(50, 4)
model = nn.Linear(4, 1)
prediction = model(x).squeeze(1)
optimizer = torch.optim.LBFGS(model.parameters())


def closure():
    optimizer.zero_grad()
    loss = ((prediction - x.sum(1)) ** 2).mean()
    loss.backward()
    return loss


optimizer.step(closure)
