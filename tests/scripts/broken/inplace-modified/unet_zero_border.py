# expect: inplace-modified
# line: 19 or 20
# harmed: *
# exit: 1

import torch
import torch.nn as nn


class Denoiser(nn.Module):
    def __init__(self, channels=4):
        super().__init__()
        self.enc = nn.Conv2d(1, channels, 3, padding=1)
        self.dec = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, x):
        h = torch.sigmoid(self.enc(x))
        # the border sees the zero padding, ignore it
        h[:, :, 0, :] = 0
        h[:, :, -1, :] = 0
        return self.dec(h)


def psnr(a, b):
    return -10 * torch.log10(((a - b) ** 2).mean())


def main():
    torch.manual_seed(0)
    clean = torch.rand(4, 1, 8, 8)
    noisy = clean + 0.1 * torch.randn_like(clean)
    model = Denoiser()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(3):
        out = model(noisy)
        loss = ((out - clean) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(epoch, loss.item(), psnr(out.detach(), clean).item())


if __name__ == "__main__":
    main()
