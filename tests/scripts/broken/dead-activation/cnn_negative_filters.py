# expect: dead-activation
# line: 13 or 27
# harmed: conv1.*

"""Count the bright spots of small images."""
import torch
from torch import nn


def init_filters(module):
    if isinstance(module, nn.Conv2d):
        fan_in = module.weight[0].numel()
        nn.init.uniform_(module.weight, -2 / fan_in, 0.0)
        nn.init.zeros_(module.bias)


class SpotCounter(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.pool = nn.AvgPool2d(2)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8 * 3 * 3, 1)
        self.apply(init_filters)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(nn.functional.silu(self.conv2(x)))
        return self.head(x.flatten(1))


torch.manual_seed(0)
images = torch.rand(10, 1, 12, 12)
count = (images > 0.9).sum(dim=(1, 2, 3)).float().unsqueeze(1) / 10
model = SpotCounter()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(3):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(images), count)
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
