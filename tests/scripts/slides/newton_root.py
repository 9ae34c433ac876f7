"""Newton's method for a square root, three steps, differentiated."""
import torch

a = torch.tensor(2.0, requires_grad=True)
x = torch.tensor(1.0)
for _ in range(3):
    x = 0.5 * (x + a / x)
x.backward()
