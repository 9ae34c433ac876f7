# input: one line
print(input("first? "))
print(input("second? "))
