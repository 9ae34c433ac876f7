# expect: non-finite-forward
# line: 28
# harmed: *

"""Reads digits from a strip; the strip has fewer columns than the longest label needs."""
import torch
from torch import nn


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.GRU(6, 12, batch_first=True)
        self.head = nn.Linear(12, 11)

    def forward(self, strip):
        return self.head(self.encoder(strip)[0]).log_softmax(dim=2)


def main():
    torch.manual_seed(0)
    reader, optimizer = Reader(), None
    optimizer = torch.optim.SGD(reader.parameters(), lr=0.01)
    for step in range(2):
        strip, labels = torch.randn(3, 5, 6), torch.tensor([[1, 2, 3], [4, 4, 4], [5, 6, 0]])
        scores = reader(strip).transpose(0, 1)
        columns, lengths = torch.tensor([5, 5, 5]), torch.tensor([3, 3, 2])
        loss = nn.functional.ctc_loss(scores, labels, columns - 1, lengths)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, loss.item())


if __name__ == "__main__":
    main()
