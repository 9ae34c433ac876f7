import atexit
import sys

print("on stdout, not flushed")
atexit.register(print, "at exit")
sys.exit("text: \u00e9")
