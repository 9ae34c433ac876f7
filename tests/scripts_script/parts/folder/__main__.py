import sys

import neighbour

print(neighbour.NAME, sys.argv, sys.path[0], __name__, __package__, __spec__.name, __file__)
raise KeyError("in a folder")
