# ruff: noqa: I001, F401, E402
import inspector
import inspector.tracer
import cli
import click
import random
import helper

print(inspector.__file__, inspector.WHOSE, inspector.tracer.WHOSE, cli.WHOSE, click.WHOSE, random.WHOSE)
import torch

print(torch.WHOSE)

import inspector.runscript
