# expect: attribute-without-effect
# line: 22
# harmed: *

"""Two players; the betas of one are changed halfway."""
import torch
from torch import nn


class Players:
    def __init__(self):
        self.maker = nn.Linear(2, 4)
        self.judge = nn.Linear(4, 1)
        self.maker_adam = torch.optim.Adam(self.maker.parameters(), lr=1e-3)
        self.judge_adam = torch.optim.Adam(self.judge.parameters(), lr=1e-3)

    def fit(self, steps):
        for step in range(steps):
            self.fit_judge(torch.randn(8, 4))
            self.fit_maker()
            if step == 0:
                self.maker_adam.betas = (0.5, 0.9)

    def fit_judge(self, real):
        made = self.maker(torch.randn(8, 2)).detach()
        loss = nn.functional.softplus(self.judge(made)).mean() + nn.functional.softplus(-self.judge(real)).mean()
        self.judge_adam.zero_grad()
        loss.backward()
        self.judge_adam.step()

    def fit_maker(self):
        loss = nn.functional.softplus(-self.judge(self.maker(torch.randn(8, 2)))).mean()
        self.maker_adam.zero_grad()
        loss.backward()
        self.maker_adam.step()


torch.manual_seed(0)
Players().fit(3)
