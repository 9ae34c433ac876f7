import sys
import warnings

from . import sibling

print(sibling.NAME, sys.argv, sys.path[0], sys.orig_argv[1:], __name__, __package__, __spec__.name, __file__)
print(sorted(globals()))
warnings.warn("past the script", stacklevel=2)
sibling.fail()
