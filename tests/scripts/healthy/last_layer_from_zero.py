# expect: nothing
import torch
from torch import nn

torch.manual_seed(0)
body, last = nn.Sequential(nn.Linear(4, 8), nn.Tanh()), nn.Linear(8, 2)
nn.init.zeros_(last.weight)
nn.init.zeros_(last.bias)
optimizer = torch.optim.Adam([*body.parameters(), *last.parameters()], lr=1e-2)
for step in range(3):
    x, y = torch.randn(9, 4), torch.randint(0, 2, (9,))
    loss = nn.functional.cross_entropy(last(body(x)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
