# expect: detached
# line: 19
# harmed: encoder.0.weight, encoder.0.bias, encoder.2.weight, encoder.2.bias

"""A small autoencoder; keeps the latent codes of the last batch for plotting."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class AutoEncoder(nn.Module):
    def __init__(self, n_in, n_latent):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(n_in, 12), nn.ELU(), nn.Linear(12, n_latent))
        self.decoder = nn.Sequential(nn.Linear(n_latent, 12), nn.ELU(), nn.Linear(12, n_in))
        self.codes = None

    def forward(self, x):
        z = self.encoder(x).detach()
        self.codes = z
        return self.decoder(z)


def main():
    torch.manual_seed(11)
    base = torch.randn(48, 2)
    data = base @ torch.randn(2, 10)
    loader = DataLoader(TensorDataset(data), batch_size=16, shuffle=True)
    model = AutoEncoder(10, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(2):
        for (batch,) in loader:
            loss = nn.functional.mse_loss(model(batch), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.4f}, latent spread {model.codes.std():.3f}")


if __name__ == "__main__":
    main()
