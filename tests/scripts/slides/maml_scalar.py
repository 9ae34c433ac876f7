"""One inner step of MAML on a scalar."""
import torch

w = torch.tensor(1.0, requires_grad=True)
inner = (w * 2.0 - 3.0) ** 2
(g,) = torch.autograd.grad(inner, w, create_graph=True)
fast = w - 0.1 * g
outer = (fast * 1.5 - 2.0) ** 2
outer.backward()
