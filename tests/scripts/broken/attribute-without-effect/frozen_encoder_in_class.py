# expect: attribute-without-effect
# line: 14
# harmed: *
import torch
from torch import nn

torch.manual_seed(0)


class Captioner(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.encoder.requires_grad = False
        self.decoder = nn.Linear(8, 4)

    def forward(self, x):
        return self.decoder(self.encoder(x))


model = Captioner()
optimizer = torch.optim.Adam(model.parameters())
for step in range(2):
    loss = nn.functional.cross_entropy(model(torch.randn(5, 6)), torch.randint(0, 4, (5,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
