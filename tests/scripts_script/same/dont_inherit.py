def f(x: 1 + 1): ...


print(f.__annotations__)
