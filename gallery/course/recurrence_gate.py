"""A gated cell: the gate f decides how much of the old state stays."""
import torch

x, c0 = torch.tensor(1.0), torch.tensor(0.5)
wf = torch.tensor(2.0, requires_grad=True)
wc = torch.tensor(-0.7, requires_grad=True)
f = torch.sigmoid(wf * x)
g = torch.tanh(wc * x)
c1 = f*c0 + (1 - f)*g
c1.backward()
