"""An in-place change of a value that backward needs: torch refuses."""
import torch

x = torch.tensor(1.0, requires_grad=True)
y = torch.exp(x)
y += 1
z = y**2
try:
    z.backward()
except RuntimeError as error:
    print(error)
