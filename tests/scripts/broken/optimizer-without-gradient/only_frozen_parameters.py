# expect: optimizer-without-gradient
# line: 15
# harmed: 1.weight, 1.bias

"""Fine-tuning of the norms of a model; the optimizer was given the frozen head."""
import torch
from torch import nn

torch.manual_seed(0)
body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
model = nn.Sequential(body, nn.Linear(8, 3))
for name, parameter in model.named_parameters():
    parameter.requires_grad_(name.startswith("0.1"))

optimizer = torch.optim.Adam(model[1].parameters(), lr=1e-3)
for step in range(4):
    loss = nn.functional.cross_entropy(model(torch.randn(16, 4)), torch.randint(0, 3, (16,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
