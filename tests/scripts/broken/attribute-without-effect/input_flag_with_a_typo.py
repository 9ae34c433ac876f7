# expect: attribute-without-effect
# line: 15
# harmed: *

"""A saliency penalty: the gradient of the score with respect to the input is to be small."""
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
data = torch.randn(48, 5)
for x in data.split(16):
    x = x.clone()
    x.requires_gradient = True
    prediction = net(x)
    loss = (prediction - x.detach().prod(1, keepdim=True)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    if x.grad is not None:
        print("saliency", x.grad.norm().item())
    optimizer.step()
