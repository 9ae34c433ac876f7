import sys

sys.excepthook = lambda *exception: sys.exit(5)
{}["missing"]
