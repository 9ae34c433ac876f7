# arguments: --help
import argparse

parser = argparse.ArgumentParser(description="trains")
parser.add_argument("--watch", type=int)
parser.parse_args()
