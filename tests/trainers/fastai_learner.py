import fastai.callback.all  # noqa: F401  # adds the methods for schedules to Learner
import torch
from fastai.basics import DataLoader, DataLoaders, Learner, accuracy
from torch import nn

torch.manual_seed(0)
x = torch.randn(64, 8)
rows = list(zip(x, (x.sum(1) > 0).long(), strict=True))
loaders = DataLoaders(DataLoader(rows[:48], bs=8), DataLoader(rows[48:], bs=8))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
learner = Learner(loaders, model, loss_func=nn.CrossEntropyLoss(), metrics=accuracy, path=".")
learner.fit_one_cycle(2, 1e-2)
learner.save("fa")
torch.save(model.state_dict(), "weights.pt")
