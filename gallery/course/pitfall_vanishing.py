"""Five sigmoids in a row: the gradient shrinks to a quarter or less at each."""
import torch

x = torch.tensor(1.0, requires_grad=True)
h = x
for _ in range(5):
    h = torch.sigmoid(h)
h.backward()
