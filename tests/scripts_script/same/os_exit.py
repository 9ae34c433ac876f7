import atexit
import os

print("lost", end="")
atexit.register(print, "never")
os._exit(7)
