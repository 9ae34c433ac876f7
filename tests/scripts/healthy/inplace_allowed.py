# expect: nothing

"""In-place operations where autograd allows them, and an augmented batch written before its use."""
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 3, padding=1)
        self.bn = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        h = self.bn(self.conv1(x)).relu_()
        out = self.conv2(h)
        out += h
        out = nn.functional.leaky_relu_(out, 0.1)
        return self.fc(out.mean(dim=(2, 3)))


def augment(images):
    images = images.clone()
    images[:, :, :2] = 0
    return images.mul_(0.9).add_(0.05)


torch.manual_seed(0)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
images, labels = torch.rand(12, 1, 6, 6), torch.randint(0, 3, (12,))
for step in range(5):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(augment(images)), labels)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
