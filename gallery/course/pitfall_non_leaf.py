"""Only leaves keep their grad: h needs retain_grad()."""
import torch

x = torch.tensor(1.0, requires_grad=True)
h = 2 * x
k = 3 * x
k.retain_grad()
y = h * k
y.backward()
