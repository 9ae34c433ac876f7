import click


@click.command()
@click.option("--name", prompt=True)
def train(name):
    print(name, click.get_current_context().parent)


train()
