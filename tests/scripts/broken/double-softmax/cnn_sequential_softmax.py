# expect: double-softmax
# line: 19 or 30 or 31
# harmed: *

"""A LeNet-like classifier with label smoothing."""
import torch
from torch import nn


def lenet(classes):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * 3 * 3, 16),
        nn.ReLU(),
        nn.Linear(16, classes),
        nn.Softmax(dim=-1),
    )


def train(model, loader, epochs):
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(epochs):
        correct = 0
        for x, y in loader:
            optimizer.zero_grad()
            output = model(x)
            loss = criterion(output, y)
            loss.backward()
            optimizer.step()
            correct += (output.argmax(dim=1) == y).sum().item()
        print(f"epoch {epoch}: loss {loss.item():.4f}, {correct} right")


torch.manual_seed(0)
loader = [(torch.randn(8, 1, 8, 8), torch.randint(0, 5, (8,))) for _ in range(3)]
train(lenet(5), loader, epochs=2)
