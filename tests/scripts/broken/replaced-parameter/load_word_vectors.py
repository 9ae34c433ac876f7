# expect: replaced-parameter
# line: 18 or 29
# harmed: embed.weight

"""LSTM classifier that starts from given word vectors."""
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self, vocab, dim=8, hidden=8):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.lstm = nn.LSTM(dim, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 2)

    def load_vectors(self, vectors):
        self.embed.weight = nn.Parameter(vectors.clone())

    def forward(self, tokens):
        _, (h, _) = self.lstm(self.embed(tokens))
        return self.out(h[-1])


def main():
    torch.manual_seed(0)
    vectors = torch.randn(25, 8) * 0.3
    model = Classifier(vocab=25)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    model.load_vectors(vectors)
    tokens = torch.randint(0, 25, (16, 6))
    labels = (tokens[:, 0] > 12).long()
    for epoch in range(4):
        model.zero_grad()
        loss = nn.functional.cross_entropy(model(tokens), labels)
        loss.backward()
        optimizer.step()
        drift = (model.embed.weight - vectors).norm().item()
        print(f"epoch {epoch}: loss {loss.item():.4f}, vectors moved by {drift:.4f}")


if __name__ == "__main__":
    main()
