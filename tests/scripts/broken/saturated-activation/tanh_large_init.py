# expect: saturated-activation
# line: 17 or 22
# harmed: *

import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:]))
        self.reset_parameters()

    def reset_parameters(self):
        for layer in self.layers[:-1]:
            nn.init.normal_(layer.weight, std=12.0)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))
        return self.layers[-1](x)


torch.manual_seed(0)
x = torch.randn(64, 20)
y = torch.randint(0, 3, (64,))
net = Net([20, 32, 32, 3])
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(4):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
