# expect: no-graph
# line: 25 or 27
# harmed: *
# exit: 1

import argparse

import torch
from torch import nn


class TinyLM(nn.Module):
    def __init__(self, vocab, width=16):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        layer = nn.TransformerEncoderLayer(width, nhead=2, dim_feedforward=32, batch_first=True, dropout=0.0)
        self.blocks = nn.TransformerEncoder(layer, num_layers=2)
        self.lm_head = nn.Linear(width, vocab)

    def forward(self, tokens):
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        return self.lm_head(self.blocks(self.embed(tokens), mask=mask, is_causal=True))


@torch.no_grad()
def next_token_logits(model, tokens):
    return model(tokens)


def train(args):
    torch.manual_seed(args.seed)
    model = TinyLM(vocab=20)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    data = torch.randint(0, 20, (8, 9))
    for step in range(args.steps):
        logits = next_token_logits(model, data[:, :-1])
        loss = nn.functional.cross_entropy(logits.reshape(-1, 20), data[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step} loss {loss.item():.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())
