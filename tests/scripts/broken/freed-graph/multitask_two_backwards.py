# expect: freed-graph
# line: 27 or 28
# harmed: *
# exit: 1

import torch
import torch.nn as nn


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(10, 16), nn.ReLU())
        self.age = nn.Linear(16, 1)
        self.gender = nn.Linear(16, 2)

    def forward(self, x):
        h = self.trunk(x)
        return self.age(h), self.gender(h)


def train_step(model, optimizer, x, age, gender):
    optimizer.zero_grad()
    pred_age, pred_gender = model(x)
    age_loss = nn.functional.smooth_l1_loss(pred_age, age)
    gender_loss = nn.functional.cross_entropy(pred_gender, gender)
    age_loss.backward()
    gender_loss.backward()
    optimizer.step()
    return age_loss.item(), gender_loss.item()


torch.manual_seed(0)
model = Shared()
optimizer = torch.optim.Adam(model.parameters())
x = torch.randn(16, 10)
age, gender = torch.rand(16, 1), torch.randint(0, 2, (16,))
for step in range(3):
    print(step, train_step(model, optimizer, x, age, gender))
