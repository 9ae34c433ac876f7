"""Two backward calls without zero_grad: grad is None, then 4, then 8."""
import torch

x = torch.tensor(2.0, requires_grad=True)
for _ in range(2):
    y = x**2
    y.backward()
