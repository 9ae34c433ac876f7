# expect: unreachable-parameter
# line: 15 or 20 or 21 or 22 or 32
# harmed: attention.weight, attention.bias

"""Sentiment model: an LSTM with attention pooling."""
import torch
from torch import nn


class SentimentLSTM(nn.Module):
    def __init__(self, vocab=30, hidden=10):
        super().__init__()
        self.embedding = nn.Embedding(vocab, 8)
        self.lstm = nn.LSTM(8, hidden, batch_first=True)
        self.attention = nn.Linear(hidden, 1)
        self.classifier = nn.Linear(hidden, 2)

    def forward(self, tokens):
        states, (last, _) = self.lstm(self.embedding(tokens))
        weights = torch.softmax(self.attention(states), dim=1)
        pooled = (weights * states).sum(dim=1)
        pooled = last[-1]
        return self.classifier(pooled)


def train(model, tokens, labels, epochs):
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        optimizer.zero_grad()
        loss = criterion(model(tokens), labels)
        loss.backward()
        optimizer.step()
        print(f"epoch {epoch + 1}/{epochs} loss {loss.item():.4f}")


torch.manual_seed(1)
train(SentimentLSTM(), torch.randint(0, 30, (12, 7)), torch.randint(0, 2, (12,)), epochs=3)
