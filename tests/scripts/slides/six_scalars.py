"""Six scalars in four lines."""
import torch

a, b, c, d, e, f = (torch.tensor(v, requires_grad=True) for v in (1.5, -0.5, 2.0, 0.7, -1.2, 0.3))
p = a * b + c * torch.sin(d) - e * f
q = torch.exp(-p * p / 4) * (a + d) + torch.tanh(b * e)
r = torch.log(1 + q * q) * c - torch.sqrt(p * p + q * q + 1) / (f + 2)
y = torch.sigmoid(r) * (p - q) + r * e
y.backward()
