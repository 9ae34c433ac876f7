"""An LSTM cell with peepholes: the gates see the memory."""
import torch

x, h, c = torch.tensor(0.5), torch.tensor(0.1), torch.tensor(0.8)
wi, pi = torch.tensor(0.4, requires_grad=True), torch.tensor(0.2, requires_grad=True)
wf, pf = torch.tensor(1.2, requires_grad=True), torch.tensor(-0.1, requires_grad=True)
wo, po = torch.tensor(0.7, requires_grad=True), torch.tensor(0.3, requires_grad=True)
wg = torch.tensor(-0.6, requires_grad=True)

i = torch.sigmoid(wi * x + h + pi * c)
f = torch.sigmoid(wf * x + h + pf * c)
g = torch.tanh(wg * x + h)
c_new = f * c + i * g
o = torch.sigmoid(wo * x + h + po * c_new)
y = o * torch.tanh(c_new)
y.backward()
