"""Under no_grad nothing is recorded: w gets no gradient."""
import torch

w = torch.tensor(2.0, requires_grad=True)
b = torch.tensor(1.0, requires_grad=True)
with torch.no_grad():
    h = 3 * w
y = (h + b) ** 2
y.backward()
