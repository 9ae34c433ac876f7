# arguments: --epochs nonsense
import click


@click.command()
@click.option("--epochs", type=int)
def train(epochs):
    print(epochs)


train()
