"""One step of a GRU cell."""
import torch

x, h = torch.tensor(0.8), torch.tensor(-0.4)
wz, uz = torch.tensor(0.5, requires_grad=True), torch.tensor(0.4, requires_grad=True)
wr, ur = torch.tensor(-0.3, requires_grad=True), torch.tensor(0.9, requires_grad=True)
wn, un = torch.tensor(1.1, requires_grad=True), torch.tensor(-0.7, requires_grad=True)

z = torch.sigmoid(wz * x + uz * h)
r = torch.sigmoid(wr * x + ur * h)
n = torch.tanh(wn * x + r * (un * h))
h_new = (1 - z) * n + z * h
h_new.backward()
