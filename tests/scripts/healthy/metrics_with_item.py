# expect: nothing

"""An ordinary training loop with running metrics, early stopping and the best weights kept."""
import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class LSTMClassifier(nn.Module):
    def __init__(self, features=3, hidden=12, classes=2):
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * hidden, classes)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out.mean(dim=1))


def run_epoch(model, loader, criterion, optimizer=None):
    model.train(optimizer is not None)
    total, correct, history = 0.0, 0, []
    with torch.set_grad_enabled(optimizer is not None):
        for x, y in loader:
            logits = model(x)
            loss = criterion(logits, y)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total += loss.item() * len(x)
            correct += (logits.argmax(dim=1) == y).sum().item()
            history.append(loss.detach())
    return total / len(loader.dataset), correct / len(loader.dataset), torch.stack(history).max()


def main():
    torch.manual_seed(0)
    x = torch.randn(60, 8, 3)
    dataset = TensorDataset(x, (x.sum(dim=(1, 2)) > 0).long())
    train_set, val_set = random_split(dataset, [48, 12])
    train_loader, val_loader = DataLoader(train_set, 16, shuffle=True), DataLoader(val_set, 12)
    model = LSTMClassifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    criterion, best, best_state = nn.CrossEntropyLoss(), float("inf"), None
    for epoch in range(3):
        train_loss, train_acc, worst = run_epoch(model, train_loader, criterion, optimizer)
        val_loss, val_acc, _ = run_epoch(model, val_loader, criterion)
        if val_loss < best:
            best, best_state = val_loss, copy.deepcopy(model.state_dict())
        print(f"{epoch}: {train_loss:.4f} ({train_acc:.2f}, worst batch {worst:.3f}) val {val_loss:.4f} ({val_acc:.2f})")
    model.load_state_dict(best_state)


if __name__ == "__main__":
    main()
