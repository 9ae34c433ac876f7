import sys


def deep(n):
    return n and deep(n - 1)


print(sys.getrecursionlimit(), deep(900))
