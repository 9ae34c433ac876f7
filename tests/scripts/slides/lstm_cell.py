"""One step of an LSTM cell, its four gates by hand."""
import torch

x, h, c = torch.tensor(1.0), torch.tensor(0.2), torch.tensor(-0.5)
wi, ui = torch.tensor(0.5, requires_grad=True), torch.tensor(0.1, requires_grad=True)
wf, uf = torch.tensor(0.3, requires_grad=True), torch.tensor(-0.2, requires_grad=True)
wo, uo = torch.tensor(-0.4, requires_grad=True), torch.tensor(0.6, requires_grad=True)
wg, ug = torch.tensor(0.9, requires_grad=True), torch.tensor(0.7, requires_grad=True)

i = torch.sigmoid(wi * x + ui * h)
f = torch.sigmoid(wf * x + uf * h)
o = torch.sigmoid(wo * x + uo * h)
g = torch.tanh(wg * x + ug * h)
c_new = f * c + i * g
h_new = o * torch.tanh(c_new)
loss = (h_new - 1) ** 2
loss.backward()
