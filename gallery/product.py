"""f = uv + u² at (1, 2): ∂f/∂u = v + 2u = 4, ∂f/∂v = u = 1."""
import torch

u = torch.tensor(1.0, requires_grad=True)
v = torch.tensor(2.0, requires_grad=True)
f = u*v + u**2
f.backward()
