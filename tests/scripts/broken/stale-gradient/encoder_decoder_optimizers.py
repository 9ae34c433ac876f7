# expect: stale-gradient
# line: 38 or 40
# harmed: decoder.*

import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.fc = nn.Linear(4 * 4 * 4, 6)

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).flatten(1))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 4 * 4 * 4)
        self.deconv = nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1)

    def forward(self, z):
        return self.deconv(torch.relu(self.fc(z)).view(-1, 4, 4, 4))


torch.manual_seed(0)
encoder, decoder = Encoder(), Decoder()
enc_optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
dec_optimizer = torch.optim.Adam(decoder.parameters(), lr=1e-3)
images = torch.rand(12, 1, 8, 8)
for epoch in range(4):
    enc_optimizer.zero_grad()
    reconstruction = decoder(encoder(images))
    loss = nn.functional.mse_loss(reconstruction, images)
    loss.backward()
    enc_optimizer.step()
    dec_optimizer.step()
    print(epoch, loss.item())
