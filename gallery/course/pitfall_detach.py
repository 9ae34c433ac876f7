"""detach cuts a path: the gradient misses the part that it carried."""
import torch

x = torch.tensor(3.0, requires_grad=True)
u = x**2
y = u * x + u.detach() * x
y.backward()
