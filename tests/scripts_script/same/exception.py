import sys


def divide(x):
    return x / 0


print("before")
sys.stderr.write("partial line")
divide(
    1,
)
