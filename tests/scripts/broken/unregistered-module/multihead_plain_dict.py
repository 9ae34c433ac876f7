# expect: unregistered-module
# line: 19
# harmed: *

"""One encoder, one output head for each of three languages."""
import torch
from torch import nn

LANGUAGES = ("de", "fr", "nl")


class MultilingualTagger(nn.Module):
    def __init__(self, vocab=20, width=10, tags=4):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.rnn = nn.GRU(width, width, batch_first=True)
        self.heads = {}
        for name in LANGUAGES:
            self.heads[name] = nn.Linear(width, tags)

    def forward(self, tokens, language):
        states, _ = self.rnn(self.embed(tokens))
        return self.heads[language](states)


def main():
    torch.manual_seed(0)
    model = MultilingualTagger()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    tokens = {name: torch.randint(0, 20, (4, 5)) for name in LANGUAGES}
    for epoch in range(3):
        optimizer.zero_grad()
        loss = 0.0
        for name, batch in tokens.items():
            logits = model(batch, name)
            loss = loss + nn.functional.cross_entropy(logits.flatten(0, 1), batch.flatten() % 4)
        loss.backward()
        optimizer.step()
        print(f"epoch {epoch} loss {loss.item():.4f}")


main()
