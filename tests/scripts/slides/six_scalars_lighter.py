"""Six scalars in three lines."""
import torch

a = torch.tensor(1.0, requires_grad=True)
b = torch.tensor(2.0, requires_grad=True)
c = torch.tensor(-1.0, requires_grad=True)
d = torch.tensor(0.5, requires_grad=True)
e = torch.tensor(3.0, requires_grad=True)
f = torch.tensor(-0.5, requires_grad=True)
s = (a + b) * c + d / e - f**2
t = torch.relu(s + 2) * a - torch.exp(f) * s
loss = 0.5 * (t - d) ** 2 + 0.1 * (a**2 + b**2)
loss.backward()
