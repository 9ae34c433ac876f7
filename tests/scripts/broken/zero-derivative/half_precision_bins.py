# expect: zero-derivative
# line: 15
# harmed: scale, shift

"""Learnt bins in half precision: the division rounds."""
import torch

torch.manual_seed(0)
scale = torch.full((20,), 2.0, dtype=torch.float16, requires_grad=True)
shift = torch.zeros(20, dtype=torch.float16, requires_grad=True)
optimizer = torch.optim.SGD([scale, shift], lr=0.1)
for step in range(3):
    x = torch.linspace(1, 40, 20, dtype=torch.float16)
    optimizer.zero_grad()
    bins = torch.div(x * scale + shift, 4, rounding_mode="floor")
    loss = (bins.float() - 3).pow(2).mean()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
