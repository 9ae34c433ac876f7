"""Five neurons in a row, sharing nothing."""
import torch

h = torch.tensor(1.0)
ws = [torch.tensor(value, requires_grad=True) for value in (0.9, -0.8, 1.2, 0.5, 1.1)]
bs = [torch.tensor(value, requires_grad=True) for value in (0.1, 0.2, 0.0, -0.1, 0.3)]
for w, b in zip(ws, bs):
    h = torch.tanh(w * h + b)
h.backward()
