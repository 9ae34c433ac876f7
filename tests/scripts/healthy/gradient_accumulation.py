# expect: nothing

"""Gradient accumulation over four micro-batches."""
import argparse

import torch
import torch.nn as nn


def get_model():
    return nn.Sequential(nn.Conv1d(2, 8, 3, padding=1), nn.SiLU(), nn.Flatten(), nn.Linear(8 * 10, 3))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--accumulate", type=int, default=4)
    parser.add_argument("--updates", type=int, default=4)
    args = parser.parse_args()
    torch.manual_seed(0)
    model = get_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    x, y = torch.randn(32, 2, 10), torch.randint(0, 3, (32,))
    optimizer.zero_grad()
    step = 0
    while step < args.accumulate * args.updates:
        for xb, yb in zip(x.split(8), y.split(8)):
            loss = nn.functional.cross_entropy(model(xb), yb) / args.accumulate
            loss.backward()
            step += 1
            if step % args.accumulate == 0:
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
                print(f"update {step // args.accumulate} loss {loss.item() * args.accumulate:.4f}")


if __name__ == "__main__":
    main()
