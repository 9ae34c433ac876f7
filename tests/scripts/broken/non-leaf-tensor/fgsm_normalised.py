# expect: non-leaf-tensor
# line: 26
# harmed: x
# exit: 1

"""Fast gradient sign attack on a small convolutional classifier."""
import torch
import torch.nn as nn
import torch.nn.functional as F

MEAN, STD = 0.5, 0.25


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(4 * 6 * 6, 5)

    def forward(self, x):
        return self.fc(F.relu(self.conv(x)).flatten(1))


def fgsm(model, images, labels, epsilon):
    images = images.clone().requires_grad_(True)
    x = (images - MEAN) / STD
    loss = F.cross_entropy(model(x), labels)
    loss.backward()
    return (x + epsilon * x.grad.sign()).detach()


torch.manual_seed(0)
model = Net().eval()
images, labels = torch.rand(6, 1, 8, 8), torch.randint(0, 5, (6,))
adversarial = fgsm(model, images, labels, epsilon=0.05)
print("flipped:", (model(adversarial).argmax(1) != labels).float().mean().item())
