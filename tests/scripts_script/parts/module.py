import sys

print(sys.argv, sys.path[0], __spec__.name, __package__, __file__, __cached__)
sys.exit("module ends")
